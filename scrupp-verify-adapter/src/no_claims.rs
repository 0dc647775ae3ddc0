//! Stands in for `claims.rs` without the feature `dedup`: nothing is ever claimed.
#![allow(
    missing_docs,
    clippy::exhaustive_enums,
    clippy::unused_async,
    reason = "never made"
)]

use core::time::Duration;

use scrupp_verify_core::{RejectionKind, Verified};

#[derive(Clone, Debug)]
pub enum Dedup {}

impl Dedup {
    pub(crate) async fn claim(
        &self,
        _: &Verified,
        _: &[u8],
        _: Duration,
    ) -> Result<Option<ClaimGuard>, RejectionKind> {
        match *self {}
    }
}

#[derive(Debug)]
pub enum ClaimGuard {}

impl ClaimGuard {
    pub async fn complete(self, _: u16) {}
}

//! Stands in for `claims.rs` without the feature `dedup`: nothing is ever claimed.

use core::time::Duration;

use bytes::Bytes;
use scrupp_verify_core::{RejectionKind, VerifiedDelivery};

/// A store and its terms: never made without the feature `dedup`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Dedup {}

impl Dedup {
    pub(crate) async fn claim(
        &self,
        _: &VerifiedDelivery<Bytes>,
        _: Duration,
    ) -> Result<Option<ClaimGuard>, RejectionKind> {
        match *self {}
    }
}

/// The claim of a delivery: never made without the feature `dedup`.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClaimGuard {}

impl ClaimGuard {
    /// Does nothing.
    pub async fn complete(self, _: u16) {
        match self {}
    }
}

//! Replaces `claims.rs` without the feature `dedup`: no delivery is claimed.

use core::{
    fmt::{self, Display},
    time::Duration,
};

use bytes::Bytes;
use scrupp_verify_core::{RejectionKind, VerifiedDelivery};

use crate::observer::Reporter;

/// A store and its settings. Has no value without the feature `dedup`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Dedup {}

impl Dedup {
    pub(crate) async fn claim(
        &self,
        _: DeliveryId,
        _: Duration,
        _: Option<&Claimed>,
        _: &Reporter,
    ) -> Result<Option<ClaimGuard>, RejectionKind> {
        match *self {}
    }
}

/// The claim of a delivery. Has no value without the feature `dedup`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Claimed {}

#[cfg(feature = "events")]
impl Claimed {
    pub(crate) fn id(&self) -> DeliveryId {
        match *self {}
    }
}

pub(crate) enum ClaimGuard {}

impl ClaimGuard {
    pub(crate) fn claimed(&self) -> Option<Claimed> {
        match *self {}
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn id(&self) -> Option<DeliveryId> {
        match *self {}
    }

    pub(crate) async fn complete(self, _: bool) {
        match self {}
    }
}

#[derive(Clone, Copy)]
pub(crate) enum DeliveryId {}

impl Display for DeliveryId {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

pub(crate) fn id_of(_: Option<&Dedup>, _: &VerifiedDelivery<Bytes>) -> Option<DeliveryId> {
    None
}

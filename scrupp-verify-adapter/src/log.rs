//! The log of the adapters: kinds, ages and indices, never a byte of a header or a body.
#![cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "nothing is logged")
)]

use core::fmt::Display;

use scrupp_verify_core::{Rejection, Verified};

macro_rules! event {
    ($level:ident, $($fields:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::$level!(target: "scrupp_verify", $($fields)*)
    };
}

/// A delivery was verified.
pub(crate) fn verified(verified: &Verified) {
    event!(
        debug,
        age_secs = verified.age_secs(),
        secret_index = verified.secret_index(),
        "delivery verified"
    );
}

/// A delivery was rejected: at level `info` for what senders do, `error` for what fails here.
pub(crate) fn rejected(rejection: &Rejection) {
    let kind = rejection.kind();
    if rejection.status() == 503 && kind != scrupp_verify_core::RejectionKind::InFlight {
        event!(error, kind = kind.as_str(), "{rejection}");
    } else {
        let age_secs = rejection.age_secs();
        event!(info, kind = kind.as_str(), age_secs, "{rejection}");
    }
}

/// An operation of the store failed or took too long.
#[cfg(feature = "dedup")]
pub(crate) fn store_failed(operation: &str, error: &dyn Display) {
    event!(error, operation, %error, "the delivery store failed");
}

/// An account lookup failed, or a verified delivery cannot be read.
pub(crate) fn failed(what: &str, error: &dyn Display) {
    event!(error, %error, "{what}");
}

/// An error without a cause to add.
#[cfg(any(feature = "dedup", feature = "events"))]
pub(crate) fn error(what: &str) {
    event!(error, "{what}");
}

//! What an operator gets to read: kinds, ages and indices, never a byte of a header or a body.

use core::fmt::Display;

use crate::{Rejection, Verified};

/// A delivery was verified.
pub(super) fn verified(verified: &Verified) {
    #[cfg(feature = "tracing")]
    tracing::debug!(
        target: "scrupp_verify",
        age_secs = verified.age_secs(),
        secret_index = verified.secret_index(),
        "delivery verified"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = verified;
}

/// A delivery was refused: at level `info` for what senders do, `error` for what is out of order
/// here.
pub(super) fn rejected(rejection: &Rejection) {
    #[cfg(feature = "tracing")]
    if rejection.status() == 503 && rejection.kind() != crate::RejectionKind::InFlight {
        tracing::error!(target: "scrupp_verify", kind = rejection.kind().as_str(), "{rejection}");
    } else {
        tracing::info!(
            target: "scrupp_verify",
            kind = rejection.kind().as_str(),
            age_secs = rejection.age_secs(),
            "{rejection}"
        );
    }
    #[cfg(not(feature = "tracing"))]
    let _ = rejection;
}

/// The operator's own secret lookup failed.
pub(super) fn lookup_failed(error: &dyn Display) {
    #[cfg(feature = "tracing")]
    tracing::error!(target: "scrupp_verify", %error, "the secret lookup failed");
    #[cfg(not(feature = "tracing"))]
    let _ = error;
}

/// The store did not do what it was asked for.
pub(super) fn store_failed(operation: &str, error: &dyn Display) {
    #[cfg(feature = "tracing")]
    tracing::error!(target: "scrupp_verify", operation, %error, "the delivery store failed");
    #[cfg(not(feature = "tracing"))]
    let _ = (operation, error);
}

/// A handler succeeded after somebody else had claimed its delivery.
pub(super) fn lease_lost() {
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "scrupp_verify",
        "the handler took longer than its lease, and the delivery was claimed again"
    );
}

/// A handler asks for a proof, and the adapter is not there to make one.
pub(super) fn not_verified() {
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "scrupp_verify",
        "a handler asks for a verified delivery, but ScruppVerify is not around it"
    );
}

/// A genuine delivery that cannot be read.
pub(super) fn not_an_event(error: &dyn Display) {
    #[cfg(feature = "tracing")]
    tracing::error!(target: "scrupp_verify", %error, "a verified delivery is no event");
    #[cfg(not(feature = "tracing"))]
    let _ = error;
}

//! What an operator gets to read: kinds, ages and indices, never a byte of a header or a body.

use core::fmt::Display;

use crate::{Rejection, Verified};

/// A delivery was verified.
pub(super) fn log_verified(verified: &Verified) {
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

/// A delivery was refused: at level `info` for what strangers do, `error` for what is out of
/// order here.
pub(super) fn log_rejected(rejection: &Rejection) {
    #[cfg(feature = "tracing")]
    if rejection.status() == 503 {
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
pub(super) fn log_lookup_failed(error: &dyn Display) {
    #[cfg(feature = "tracing")]
    tracing::error!(target: "scrupp_verify", %error, "the secret lookup failed");
    #[cfg(not(feature = "tracing"))]
    let _ = error;
}

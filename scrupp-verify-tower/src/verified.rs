use core::ops::Deref;

/// The proof that a delivery came from Scrupp as it was signed, and in time: see
/// [`scrupp_verify_core::Verified`], which it dereferences to.
///
/// It is in the extensions of a request that was verified, and only there; with the feature `axum` it is an extractor too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified(scrupp_verify_core::Verified);

impl Verified {
    pub(crate) fn new(verified: scrupp_verify_core::Verified) -> Self {
        Self(verified)
    }
}

impl Deref for Verified {
    type Target = scrupp_verify_core::Verified;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

//! Verification as it must not be: it stops comparing at the first byte that differs.
//!
//! The two checks of this package are run on it to show that they would notice.

use core::hint::black_box;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A delivery that would be verified by a comparison that tells where a tag differs.
#[derive(Clone)]
pub struct LeakyDelivery {
    mac: Hmac<Sha256>,
    candidate: [u8; 32],
}

impl LeakyDelivery {
    /// All of the delivery but its verdict.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes a key of any length.
    #[must_use]
    pub fn new(key: &[u8], signed_content: &[u8], candidate: [u8; 32]) -> Self {
        let mac = Hmac::new_from_slice(key).expect("a key of any length");
        let mac = mac.chain_update(signed_content);
        Self { mac, candidate }
    }

    /// Whether the candidate is the tag.
    #[must_use]
    pub fn finish(self) -> bool {
        let tag = self.mac.finalize().into_bytes();
        tag.iter()
            .zip(self.candidate)
            .all(|(expected, candidate)| black_box(*expected) == candidate)
    }
}

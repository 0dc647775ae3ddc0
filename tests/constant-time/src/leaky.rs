//! A deliberately leaky verification, which stops at the first byte that differs.
//!
//! Both checks of this package run on it, and must detect the leak.

use core::hint::black_box;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A delivery whose verification reveals where the received tag differs.
#[derive(Clone)]
pub struct LeakyDelivery {
    mac: Hmac<Sha256>,
    candidate: [u8; 32],
}

impl LeakyDelivery {
    /// Creates a delivery with its signed content and the received tag.
    ///
    /// # Panics
    ///
    /// Never panics, because HMAC accepts keys of any length.
    #[must_use]
    pub fn new(key: &[u8], signed_content: &[u8], candidate: [u8; 32]) -> Self {
        let mac = Hmac::new_from_slice(key).expect("a key of any length");
        let mac = mac.chain_update(signed_content);
        Self { mac, candidate }
    }

    /// Returns true if the received tag is the expected tag.
    #[must_use]
    pub fn finish(self) -> bool {
        let tag = self.mac.finalize().into_bytes();
        tag.iter()
            .zip(self.candidate)
            .all(|(expected, candidate)| black_box(*expected) == candidate)
    }
}

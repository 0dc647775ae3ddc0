//! HMAC-SHA256 with several keys.

use ctutils::{Choice, CtAssign, CtEq};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::ConfigError;

/// The length of an HMAC-SHA256 tag.
pub(crate) const TAG_BYTES: usize = 32;

pub(crate) type Tag = [u8; TAG_BYTES];

/// A prepared key: both pads have passed through the compression function (RFC 2104, section 4).
/// Cloned for each message.
///
/// # Security
///
/// A prepared key can sign, so it is as secret as the key itself. The `zeroize` features of `hmac`
/// and `sha2` wipe it on drop.
pub(crate) type MacKey = Hmac<Sha256>;

/// Prepares a key of any length.
pub(crate) fn prepare(key: &[u8]) -> Result<MacKey, ConfigError> {
    // Never fails, because HMAC accepts keys of any length.
    MacKey::new_from_slice(key).map_err(|_| ConfigError::EmptySecret)
}

/// Prepares the empty key, which takes the place of a missing secret. No [`Secret`](crate::Secret)
/// is empty.
pub(crate) fn placeholder() -> MacKey {
    MacKey::new(&hmac::digest::Key::<MacKey>::default())
}

/// Returns the tag of a message, which is passed in chunks.
pub(crate) fn tag(key: &MacKey, message: &[&[u8]]) -> Tag {
    let mut mac = key.clone();
    message.iter().for_each(|chunk| mac.update(chunk));
    mac.finalize().into_bytes().into()
}

/// Returns the index of the first of `keys` with which the message has the tag `candidate`.
///
/// Only the first `secrets` keys can match. The others are tried so that the time is the same.
///
/// # Security
///
/// Every key is tried, and every tag is compared at full length. No branch depends on a key or a
/// tag, only on the result.
pub(crate) fn first_match(
    keys: &[MacKey],
    secrets: usize,
    message: &[&[u8]],
    candidate: &Tag,
) -> Option<u16> {
    let mut matched = NO_KEY;
    // Backwards, so the first match is assigned last.
    for (index, key) in INDICES.iter().zip(keys).rev() {
        let is_secret = Choice::from_u8_lsb(u8::from(usize::from(*index) < secrets));
        let is_match = tag(key, message).ct_eq(candidate).and(is_secret);
        matched.ct_assign(index, is_match);
    }
    (matched != NO_KEY).then_some(matched)
}

/// The indices of the keys of a keyring.
pub(crate) const INDICES: [u16; 4] = [0, 1, 2, 3];

/// A value that is not in [`INDICES`].
const NO_KEY: u16 = u16::MAX;

#[cfg(test)]
mod tests;

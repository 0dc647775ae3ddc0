//! HMAC-SHA256 under several keys, by the `hmac` crate.

use ctutils::{Choice, CtAssign, CtEq};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::ConfigError;

/// Bytes in an HMAC-SHA256 tag.
pub(crate) const TAG_BYTES: usize = 32;

pub(crate) type Tag = [u8; TAG_BYTES];

/// A key whose two pads went through the compression function (RFC 2104, section 4), ready to be
/// cloned for a message.
///
/// Equivalent to the key itself: it can sign. The `zeroize` features of `hmac` and `sha2` wipe its
/// states on drop.
pub(crate) type MacKey = Hmac<Sha256>;

/// Prepares a key of any length.
pub(crate) fn prepare(key: &[u8]) -> Result<MacKey, ConfigError> {
    // HMAC has no invalid lengths, though its trait allows for them.
    MacKey::new_from_slice(key).map_err(|_| ConfigError::EmptySecret)
}

/// Prepares the key that takes the place of a secret: the empty one, which no [`Secret`] is.
///
/// [`Secret`]: crate::Secret
pub(crate) fn placeholder() -> MacKey {
    MacKey::new(&hmac::digest::Key::<MacKey>::default())
}

/// Returns the tag of a message, given in parts.
pub(crate) fn tag(key: &MacKey, message: &[&[u8]]) -> Tag {
    let mut mac = key.clone();
    message.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Returns the index of the first of `keys` under which `candidate` is the tag of the message. Only
/// the first `secrets` keys can match; as much is computed for the others.
///
/// # Security
///
/// Every key is tried, and every tag compared at full length. Nothing branches on a key or a tag,
/// only on the verdict.
pub(crate) fn first_match(
    keys: &[MacKey],
    secrets: usize,
    message: &[&[u8]],
    candidate: &Tag,
) -> Option<u16> {
    let mut matched = NO_KEY;
    // Backwards, so that the first one remains.
    for (index, key) in INDICES.iter().zip(keys).rev() {
        let is_secret = Choice::from_u8_lsb(u8::from(usize::from(*index) < secrets));
        let is_match = tag(key, message).ct_eq(candidate).and(is_secret);
        matched.ct_assign(index, is_match);
    }
    (matched != NO_KEY).then_some(matched)
}

/// The indices of a keyring's keys.
pub(crate) const INDICES: [u16; 4] = [0, 1, 2, 3];

/// None of [`INDICES`].
const NO_KEY: u16 = u16::MAX;

#[cfg(test)]
mod tests;

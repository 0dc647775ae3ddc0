//! HMAC-SHA256 for several keys over one message.
//!
//! Built on the SHA-256 compression function itself, so that the keys share one copy of the
//! message's unfinished block and one padding, and a prepared key is 64 bytes.
//!
//! No function here can panic: where the compiler asks for a case that cannot happen, nothing is
//! hashed, so the tag comes out wrong and the delivery is refused.

use core::slice;

use sha2::{Digest, Sha256, block_api::compress256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::keyring::Keyring;

/// Bytes in a SHA-256 block.
pub(crate) const BLOCK_BYTES: usize = 64;

/// Bytes in an HMAC-SHA256 tag.
pub(crate) const TAG_BYTES: usize = 32;

pub(crate) type Tag = [u8; TAG_BYTES];

type Block = [u8; BLOCK_BYTES];
type State = [u32; 8];

/// The state before the first block (FIPS 180-4, section 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A key after its two pads went through the compression function (RFC 2104, section 4).
///
/// Worth as much as the key itself: whoever has it can sign. What holds one wipes it.
#[derive(Clone)]
pub(crate) struct MacKey {
    inner: State,
    outer: State,
}

impl MacKey {
    /// Stands where there is no key. A tag is never compared with one of its own.
    pub(crate) const EMPTY: Self = Self {
        inner: INITIAL,
        outer: INITIAL,
    };

    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        if key.len() > BLOCK_BYTES {
            let digest = Zeroizing::new(Tag::from(Sha256::digest(key)));
            overwrite(&mut *block, &*digest);
        } else {
            overwrite(&mut *block, key);
        }
        let padded_with = |pad: u8| {
            let padded = Zeroizing::new(block.map(|byte| byte ^ pad));
            let mut state = INITIAL;
            compress256(&mut state, slice::from_ref(&*padded));
            state
        };
        Self {
            inner: padded_with(0x36),
            outer: padded_with(0x5c),
        }
    }

    /// The tag, once `inner` has taken in the whole padded message.
    fn finish(&self) -> Tag {
        let mut block = [0; BLOCK_BYTES];
        let (digest, padding) = block.split_at_mut(TAG_BYTES);
        digest.copy_from_slice(&to_bytes(self.inner));
        end_message(padding, 0, (BLOCK_BYTES + TAG_BYTES) as u64);
        let mut state = self.outer;
        compress256(&mut state, slice::from_ref(&block));
        to_bytes(state)
    }
}

impl Zeroize for MacKey {
    fn zeroize(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// The part of a message that does not fill a block yet.
#[derive(Clone)]
pub(crate) struct Tail {
    block: Block,
    filled: usize,
    total: u64,
}

impl Tail {
    pub(crate) const EMPTY: Self = Self {
        block: [0; BLOCK_BYTES],
        filled: 0,
        total: 0,
    };

    /// Keeps what fits into the block, and returns what does not.
    pub(crate) fn fill<'d>(&mut self, data: &'d [u8]) -> &'d [u8] {
        let free = self.block.get_mut(self.filled..).unwrap_or_default();
        let (fits, rest) = data.split_at_checked(free.len()).unwrap_or((data, &[]));
        overwrite(free, fits);
        self.filled = self.filled.saturating_add(fits.len());
        self.total = self.total.wrapping_add(fits.len() as u64);
        rest
    }

    /// The message's last block or two, with the padding of FIPS 180-4, section 5.1.1.
    fn padded(&self) -> ([Block; 2], usize) {
        let mut blocks = [self.block, [0; BLOCK_BYTES]];
        let used = if self.filled < BLOCK_BYTES - 8 { 1 } else { 2 };
        if let Some(used) = blocks.get_mut(..used) {
            let length = self.total.wrapping_add(BLOCK_BYTES as u64);
            end_message(used.as_flattened_mut(), self.filled, length);
        }
        (blocks, used)
    }
}

/// A message on its way through every key of a keyring.
#[derive(Clone)]
pub(crate) struct Mac {
    keys: Keyring,
    tail: Tail,
}

impl Mac {
    /// Starts with `tail`, the beginning of the message.
    pub(crate) fn new(keys: Keyring, tail: Tail) -> Self {
        Self { keys, tail }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        let mut data = data;
        if self.tail.filled > 0 {
            data = self.tail.fill(data);
            if self.tail.filled < BLOCK_BYTES {
                return;
            }
            self.keys.absorb(slice::from_ref(&self.tail.block));
            self.tail.filled = 0;
        }
        let (blocks, rest) = data.as_chunks();
        if !blocks.is_empty() {
            self.keys.absorb(blocks);
            let absorbed = blocks.as_flattened().len() as u64;
            self.tail.total = self.tail.total.wrapping_add(absorbed);
        }
        self.tail.fill(rest);
    }

    /// The index of the first key under which `candidate` is the tag of the message.
    ///
    /// Every key is tried, and every tag compared at full length. Nothing branches on a key or a
    /// tag, only on the verdict.
    pub(crate) fn verify(mut self, candidate: &Tag) -> Option<u8> {
        self.absorb_padding();
        let mut found = Choice::from(0);
        let mut first = 0;
        for (index, key) in (0..).zip(self.keys.keys()) {
            let equal = key.finish().ct_eq(candidate);
            first.conditional_assign(&index, equal & !found);
            found |= equal;
        }
        bool::from(found).then_some(first)
    }

    /// The tag of the message under the first key.
    pub(crate) fn sign(mut self) -> Tag {
        self.absorb_padding();
        let key = self.keys.keys().first();
        key.unwrap_or(&MacKey::EMPTY).finish()
    }

    fn absorb_padding(&mut self) {
        let (blocks, used) = self.tail.padded();
        self.keys.absorb(blocks.get(..used).unwrap_or_default());
    }
}

/// Takes whole blocks of the message into the inner state of each key.
pub(crate) fn absorb(keys: &mut [MacKey], blocks: &[Block]) {
    for key in keys {
        compress256(&mut key.inner, blocks);
    }
}

/// Ends a message of `length` bytes, of which the last `filled` stand at the start of `blocks`.
fn end_message(blocks: &mut [u8], filled: usize, length: u64) {
    if let Some((end, zeros)) = blocks.get_mut(filled..).and_then(<[u8]>::split_first_mut) {
        *end = 0x80;
        zeros.fill(0);
    }
    if let Some(bits) = blocks.last_chunk_mut() {
        *bits = length.wrapping_mul(8).to_be_bytes();
    }
}

/// Copies `from` to the start of `to`, as far as there is room.
fn overwrite(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

fn to_bytes(state: State) -> Tag {
    let mut bytes = [0; TAG_BYTES];
    let (words, _) = bytes.as_chunks_mut();
    for (to, word) in words.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests;

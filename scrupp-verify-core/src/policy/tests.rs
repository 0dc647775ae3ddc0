extern crate alloc;

use alloc::{
    format,
    string::{String, ToString},
};

use super::*;
use crate::{Rejection, mac::Mac};

const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);

/// Signed with the keys that a body of an unknown account goes through.
fn candidate_signed_with_the_decoy(body: &[u8]) -> Candidate {
    let mut mac = Mac::new(&Keyring::DECOY, &Tail::EMPTY);
    mac.update(b"1735471800.");
    mac.update(body);
    let digits: String = mac
        .sign()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let signature = format!("sha256={digits}");
    let head = [
        (TIMESTAMP_HEADER, "1735471800"),
        (SIGNATURE_HEADER, &signature),
    ];
    Policy::default().admit(&head, NOW).unwrap()
}

fn finish(mut delivery: Delivery, body: &[u8]) -> Result<(), Rejection> {
    delivery.update(body)?;
    delivery.finish().map(drop)
}

#[test]
fn never_verifies_an_unknown_account_even_if_the_decoy_matches() {
    for body in [&b""[..], b"{}", &[7; 500]] {
        let candidate = candidate_signed_with_the_decoy(body);
        let matching = candidate.begin(&Keyring::DECOY);
        assert_eq!(
            finish(matching, body),
            Ok(()),
            "the signature is the decoy's"
        );
        let refused = finish(candidate.begin_unknown(), body);
        assert_eq!(refused, Err(RejectionKind::UnknownAccount.into()));
    }
}

#[test]
fn hashes_for_an_unknown_account_as_much_as_for_one_secret() {
    assert_eq!(Keyring::DECOY.keys().len(), 1);
}

#[test]
fn never_verifies_with_what_stands_where_a_keyring_has_no_secret() {
    for held in 1..=3 {
        let candidate = candidate_signed_with_the_decoy(b"{}");
        let secret = crate::Secret::new("topsecret").unwrap();
        let keyring = Keyring::new(core::iter::repeat_n(secret, held)).unwrap();
        let refused = finish(candidate.begin(&keyring), b"{}");
        assert_eq!(
            refused,
            Err(RejectionKind::SignatureMismatch.into()),
            "{held} secrets"
        );
    }
}

#[test]
fn leaves_room_for_the_longest_timestamp_before_the_first_block() {
    // The beginning of the signed content is kept unhashed: it must not fill the block.
    let longest = u64::MAX.to_string();
    let mut tail = Tail::EMPTY;
    assert!(tail.fill(longest.as_bytes()).is_empty());
    assert!(tail.fill(b".").is_empty());
    assert_eq!(
        parse_timestamp(longest.as_bytes()),
        Some(UnixTime::from_secs(u64::MAX))
    );
    assert_eq!(parse_timestamp(format!("{longest}0").as_bytes()), None);
}

#[test]
fn reads_hex_digits_and_no_other_byte() {
    for byte in 0..=u8::MAX {
        let value = char::from(byte).to_digit(16);
        match value {
            Some(value) => assert_eq!(u32::from(nibble(byte)), value, "{byte}"),
            None => assert!(nibble(byte) > 15, "{byte}"),
        }
    }
}

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
fn never_verifies_an_unknown_account_even_if_the_placeholder_matches() {
    for body in [&b""[..], b"{}", &[7; 500]] {
        let candidate = candidate_signed_with_the_decoy(body);
        let matching = candidate.begin(&Keyring::of_placeholders(1));
        assert_eq!(
            finish(matching, body),
            Ok(()),
            "the signature is the placeholder's"
        );
        let rejected = finish(candidate.begin_for(None), body);
        assert_eq!(rejected, Err(RejectionKind::UnknownAccount.into()));
    }
}

#[test]
fn computes_the_same_for_every_account_whether_it_exists_or_not() {
    assert_eq!(Keyring::DECOY.keys().len(), Keyring::MAX_SECRETS);
    for secrets in 1..=Keyring::MAX_SECRETS {
        let account = Account::new("17", keyring(secrets));
        assert_eq!(account.keyring.keys().len(), Keyring::MAX_SECRETS);
    }
}

#[test]
fn never_verifies_with_a_placeholder() {
    for secrets in 1..Keyring::MAX_SECRETS {
        let candidate = candidate_signed_with_the_decoy(b"{}");
        let account = Account::new("17", keyring(secrets));
        for delivery in [
            candidate.begin(&keyring(secrets)),
            candidate.begin_for(Some(&account)),
        ] {
            assert_eq!(
                finish(delivery, b"{}"),
                Err(RejectionKind::SignatureMismatch.into()),
                "{secrets} secrets"
            );
        }
    }
}

fn keyring(secrets: usize) -> Keyring {
    let secret = crate::Secret::new("topsecret").unwrap();
    Keyring::new(core::iter::repeat_n(secret, secrets)).unwrap()
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

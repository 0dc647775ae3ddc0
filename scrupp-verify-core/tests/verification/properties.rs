//! What holds for any delivery: signed ones are accepted, and nothing near them is.

use core::time::Duration;

use proptest::{collection::vec, prelude::*, sample::Index};
use scrupp_verify_core::{
    Keyring,
    RejectionKind::{MalformedSignature, MalformedTimestamp, SignatureMismatch},
    Secret, Signer, Tolerance, UnixTime, Verifier,
};

use crate::{BODY, NOW, SECRET, hex, secret, stream, tag, verifier};

/// Any bytes that [`Secret`] takes.
fn secrets() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..200)
        .prop_filter("empty or space around", |bytes| Secret::new(bytes).is_ok())
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..700)
}

/// `body` in pieces, cut at any places.
fn pieces<'b>(body: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    ends.push(body.len());
    ends.sort_unstable();
    let starts = core::iter::once(0).chain(ends.iter().copied());
    starts
        .zip(&ends)
        .map(|(start, end)| &body[start..*end])
        .collect()
}

fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

/// Any time at all, so that it is the MAC that refuses.
fn at_any_time(verifier: Verifier) -> Verifier {
    verifier.tolerance(Tolerance::new(Duration::MAX, Duration::MAX))
}

proptest! {
    #[test]
    fn accepts_any_signed_delivery_in_any_pieces(
        keys in vec(secrets(), 1..=4),
        signer in any::<Index>(),
        body in bodies(),
        cuts in vec(any::<Index>(), 0..8),
        sent in 1..=u64::MAX,
        age in -60..=300_i64,
    ) {
        let now = UnixTime::from_secs(sent.saturating_add_signed(age));
        let signer = signer.index(keys.len());
        let headers = Signer::new(&secret(&keys[signer])).sign(UnixTime::from_secs(sent), &body);
        let verifier = Verifier::new(Keyring::new(keys.iter().map(secret)).unwrap());

        let at_once = verifier.verify(&headers, &body, now);
        prop_assert_eq!(stream(&verifier, &headers, pieces(&body, &cuts), now), at_once);
        let verified = at_once.unwrap();
        prop_assert_eq!(verified.time(), UnixTime::from_secs(sent));
        prop_assert_eq!(&keys[verified.secret_index()], &keys[signer]);
    }

    #[test]
    fn gives_one_verdict_whatever_the_head_and_the_pieces(
        timestamp in prop_oneof!["[0-9]{0,21}", "173547[0-9]{4}", "\\PC{0,12}"],
        prefix in prop_oneof![3 => Just("sha256="), 1 => Just("")],
        digits in prop_oneof!["[0-9a-fA-F]{64}", "[0-9a-f]{62,66}"],
        signed in any::<bool>(),
        declared in prop_oneof![Just(None), "[0-9]{1,21}".prop_map(Some)],
        body in bodies(),
        limit in 0..800_usize,
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let digits = match signed {
            true => hex(&tag(SECRET.as_bytes(), timestamp.as_bytes(), &body)),
            false => digits,
        };
        let signature = format!("{prefix}{digits}");
        let mut head = vec![("X-Scrupp-Timestamp", &timestamp), ("X-Scrupp-Signature", &signature)];
        head.extend(declared.as_ref().map(|length| ("Content-Length", length)));
        let verifier = verifier().body_limit(limit);
        let at_once = verifier.verify(&*head, &body, NOW);
        prop_assert_eq!(stream(&verifier, &*head, pieces(&body, &cuts), NOW), at_once);
        prop_assert!(at_once.is_err() || (signed && body.len() <= limit));
    }

    #[test]
    fn refuses_whatever_bytes_a_stranger_sends(
        signature in vec(any::<u8>(), 0..90),
        timestamp in vec(any::<u8>(), 0..30),
        declared in vec(any::<u8>(), 0..30),
        body in bodies(),
        now in any::<u64>(),
    ) {
        let head = [
            ("x-scrupp-signature", signature),
            ("x-scrupp-timestamp", timestamp),
            ("content-length", declared),
        ];
        let verdict = verifier().verify(&head, &body, UnixTime::from_secs(now));
        prop_assert!(verdict.is_err());
    }

    #[test]
    fn refuses_any_other_body(
        body in bodies(),
        at in any::<Index>(),
        removed in 0..4_usize,
        inserted in vec(any::<u8>(), 0..4),
    ) {
        let headers = Signer::new(&secret(SECRET)).sign(NOW, &body);
        let at = at.index(body.len() + 1);
        let mut other = body.clone();
        other.splice(at..body.len().min(at + removed), inserted);
        let verdict = verifier().verify(&headers, &other, NOW);
        prop_assert_eq!(verdict.is_ok(), other == body);
    }

    #[test]
    fn refuses_any_flipped_bit(key in secrets(), body in bodies(), secs in 1..=u64::MAX, bit in any::<Index>()) {
        let now = UnixTime::from_secs(secs);
        let headers = Signer::new(&secret(&key)).sign(now, &body);
        let verifier = at_any_time(Verifier::new(secret(&key)));
        prop_assert!(verifier.verify(&headers, &body, now).is_ok());

        let timestamp = headers.timestamp().as_bytes();
        let flipped = flip(timestamp, bit.index(timestamp.len() * 8));
        let head = [("x-scrupp-timestamp", &*flipped), ("x-scrupp-signature", headers.signature().as_bytes())];
        prop_assert!(verifier.verify(&head, &body, now).is_err());

        let raw = tag(&key, timestamp, &body);
        let signature = format!("sha256={}", hex(&flip(&raw, bit.index(256))));
        let head = [("x-scrupp-timestamp", headers.timestamp()), ("x-scrupp-signature", &signature)];
        prop_assert_eq!(verifier.verify(&head, &body, now).unwrap_err().kind(), SignatureMismatch);

        if !body.is_empty() {
            let flipped = flip(&body, bit.index(body.len() * 8));
            prop_assert_eq!(verifier.verify(&headers, &flipped, now).unwrap_err().kind(), SignatureMismatch);
        }
        if let Ok(other) = Secret::new(flip(&key, bit.index(key.len() * 8))) {
            let verdict = at_any_time(Verifier::new(other)).verify(&headers, &body, now);
            prop_assert_eq!(verdict.unwrap_err().kind(), SignatureMismatch);
        }
    }
}

#[test]
fn refuses_each_single_bit_flipped_in_the_body() {
    let headers = Signer::new(&secret(SECRET)).sign(NOW, BODY);
    for bit in 0..BODY.len() * 8 {
        let verdict = verifier().verify(&headers, &flip(BODY, bit), NOW);
        assert_eq!(verdict.unwrap_err().kind(), SignatureMismatch, "bit {bit}");
    }
}

#[test]
fn refuses_each_single_bit_flipped_in_the_timestamp() {
    let headers = Signer::new(&secret(SECRET)).sign(NOW, BODY);
    let verifier = at_any_time(verifier());
    for bit in 0..headers.timestamp().len() * 8 {
        let flipped = flip(headers.timestamp().as_bytes(), bit);
        let head = [
            ("x-scrupp-timestamp", &*flipped),
            ("x-scrupp-signature", headers.signature().as_bytes()),
        ];
        let expected = match flipped.iter().all(u8::is_ascii_digit) && flipped[0] != b'0' {
            true => SignatureMismatch,
            false => MalformedTimestamp,
        };
        assert_eq!(
            verifier.verify(&head, BODY, NOW).unwrap_err().kind(),
            expected,
            "bit {bit}"
        );
    }
}

#[test]
fn refuses_each_single_bit_flipped_in_the_signature_but_the_case_of_a_digit() {
    let headers = Signer::new(&secret(SECRET)).sign(NOW, BODY);
    let good = headers.signature().as_bytes();
    let mut cases = 0;
    for bit in 0..good.len() * 8 {
        let flipped = flip(good, bit);
        let head = [
            ("x-scrupp-timestamp", headers.timestamp().as_bytes()),
            ("x-scrupp-signature", &*flipped),
        ];
        let refused = verifier()
            .verify(&head, BODY, NOW)
            .err()
            .map(|rejection| rejection.kind());
        let (prefix, digits) = flipped.split_at(7);
        let expected = if prefix != b"sha256=" || !digits.iter().all(u8::is_ascii_hexdigit) {
            Some(MalformedSignature)
        } else if digits.eq_ignore_ascii_case(&good[7..]) {
            cases += 1;
            None
        } else {
            Some(SignatureMismatch)
        };
        assert_eq!(refused, expected, "bit {bit}");
    }
    let letters = good[7..]
        .iter()
        .filter(|digit| digit.is_ascii_alphabetic())
        .count();
    assert_eq!(cases, letters);
}

#[test]
fn refuses_each_single_bit_flipped_in_the_secret() {
    let headers = Signer::new(&secret(SECRET)).sign(NOW, BODY);
    let mut refused = 0;
    for bit in 0..SECRET.len() * 8 {
        // A few become white space at an end, which is no secret at all.
        if let Ok(other) = Secret::new(flip(SECRET.as_bytes(), bit)) {
            let verdict = Verifier::new(other).verify(&headers, BODY, NOW);
            assert_eq!(verdict.unwrap_err().kind(), SignatureMismatch, "bit {bit}");
            refused += 1;
        }
    }
    assert_eq!(refused, SECRET.len() * 8);
}

//! Tests of each rule at its limits.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;

use scrupp_verify_core::{
    Account, Keyring, Policy, Rejection, RejectionKind as Kind, Secret, SignedHeaders, Signer,
    Tolerance, UnixTime, Verified, Verifier,
};

const NOW: u64 = 1_735_471_800;
const BODY: &[u8] = br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn signed(body: &[u8]) -> SignedHeaders {
    Signer::new(&secret("topsecret")).sign(at(NOW), body)
}

fn verifier() -> Verifier {
    Verifier::new(secret("topsecret"))
}

/// Verifies `BODY` with these headers at `NOW`.
fn verdict(head: &[(&str, &[u8])]) -> Result<Verified, Kind> {
    let delivery = verifier().verify(head, BODY, at(NOW));
    let verdict = delivery.map(|delivery| *delivery.verified());
    verdict.map_err(|rejection| rejection.kind())
}

#[test]
fn requires_each_header_exactly_once() {
    let signed = signed(BODY);
    let (signature, timestamp) = (signed.signature().as_bytes(), signed.timestamp().as_bytes());
    let joined_signature = [signature, b", ", signature].concat();
    let joined_timestamp = [timestamp, b",", timestamp].concat();
    let other = b"sha256=0000000000000000000000000000000000000000000000000000000000000000";
    const SIGNATURE: &str = "x-scrupp-signature";
    const TIMESTAMP: &str = "x-scrupp-timestamp";

    type Row<'a> = (&'a str, Vec<(&'a str, &'a [u8])>, Option<Kind>);
    let rows: Vec<Row<'_>> = vec![
        (
            "both",
            vec![(SIGNATURE, signature), (TIMESTAMP, timestamp)],
            None,
        ),
        (
            "in the other order",
            vec![(TIMESTAMP, timestamp), (SIGNATURE, signature)],
            None,
        ),
        (
            "names in mixed case",
            vec![
                ("X-Scrupp-Signature", signature),
                ("X-SCRUPP-TIMESTAMP", timestamp),
            ],
            None,
        ),
        (
            "among others",
            vec![
                ("host", b"x"),
                (TIMESTAMP, timestamp),
                ("x-scrupp", b"y"),
                (SIGNATURE, signature),
            ],
            None,
        ),
        ("none", vec![], Some(Kind::MissingSignature)),
        (
            "no signature",
            vec![(TIMESTAMP, timestamp)],
            Some(Kind::MissingSignature),
        ),
        (
            "no timestamp",
            vec![(SIGNATURE, signature)],
            Some(Kind::MissingTimestamp),
        ),
        (
            "underscores for dashes",
            vec![("x_scrupp_signature", signature), (TIMESTAMP, timestamp)],
            Some(Kind::MissingSignature),
        ),
        (
            "the same signature twice",
            vec![
                (SIGNATURE, signature),
                (TIMESTAMP, timestamp),
                (SIGNATURE, signature),
            ],
            Some(Kind::RepeatedSignature),
        ),
        (
            "another signature first",
            vec![
                (SIGNATURE, other),
                (SIGNATURE, signature),
                (TIMESTAMP, timestamp),
            ],
            Some(Kind::RepeatedSignature),
        ),
        (
            "another signature last, under a name in another case",
            vec![
                (SIGNATURE, signature),
                (TIMESTAMP, timestamp),
                ("X-Scrupp-Signature", other),
            ],
            Some(Kind::RepeatedSignature),
        ),
        (
            "the same timestamp twice",
            vec![
                (SIGNATURE, signature),
                (TIMESTAMP, timestamp),
                (TIMESTAMP, timestamp),
            ],
            Some(Kind::RepeatedTimestamp),
        ),
        (
            "another timestamp",
            vec![
                (SIGNATURE, signature),
                (TIMESTAMP, timestamp),
                (TIMESTAMP, b"1735471801"),
            ],
            Some(Kind::RepeatedTimestamp),
        ),
        (
            "signatures joined by a comma",
            vec![(SIGNATURE, &joined_signature), (TIMESTAMP, timestamp)],
            Some(Kind::MalformedSignature),
        ),
        (
            "timestamps joined by a comma",
            vec![(SIGNATURE, signature), (TIMESTAMP, &joined_timestamp)],
            Some(Kind::MalformedTimestamp),
        ),
    ];
    for (label, head, rejected) in rows {
        assert_eq!(verdict(&head).err(), rejected, "{label}");
    }
}

#[test]
fn accepts_only_decimal_timestamps() {
    // Accepts timestamps of any age, so only the format decides.
    let everything = Tolerance::new(Duration::MAX, Duration::MAX);
    let verifier = verifier().tolerance(everything);
    let signature = signed(BODY);
    let rows: &[(&str, &[u8], Kind)] = &[
        (
            "well-formed, with the signature of another timestamp",
            b"1735471801",
            Kind::SignatureMismatch,
        ),
        ("one digit", b"1", Kind::SignatureMismatch),
        (
            "13 digits inside the tolerance",
            b"1735471800000",
            Kind::SignatureMismatch,
        ),
        (
            "the largest that fits",
            b"18446744073709551615",
            Kind::SignatureMismatch,
        ),
        (
            "one past the largest",
            b"18446744073709551616",
            Kind::MalformedTimestamp,
        ),
        (
            "20 nines",
            b"99999999999999999999",
            Kind::MalformedTimestamp,
        ),
        (
            "21 digits",
            b"100000000000000000000",
            Kind::MalformedTimestamp,
        ),
        ("empty", b"", Kind::MalformedTimestamp),
        ("zero", b"0", Kind::MalformedTimestamp),
        ("leading zero", b"01735471800", Kind::MalformedTimestamp),
        ("plus", b"+1735471800", Kind::MalformedTimestamp),
        ("minus", b"-1735471800", Kind::MalformedTimestamp),
        ("space before", b" 1735471800", Kind::MalformedTimestamp),
        ("space after", b"1735471800 ", Kind::MalformedTimestamp),
        ("tab after", b"1735471800\t", Kind::MalformedTimestamp),
        ("line feed after", b"1735471800\n", Kind::MalformedTimestamp),
        ("NUL after", b"1735471800\0", Kind::MalformedTimestamp),
        (
            "a dot, as in the signed content",
            b"1735471800.",
            Kind::MalformedTimestamp,
        ),
        ("a fraction", b"1735471800.5", Kind::MalformedTimestamp),
        ("hex", b"0x6771", Kind::MalformedTimestamp),
        ("an exponent", b"1e9", Kind::MalformedTimestamp),
        ("underscores", b"1_735_471_800", Kind::MalformedTimestamp),
        ("obs-text", b"173547180\xff", Kind::MalformedTimestamp),
        (
            "Arabic-Indic digits",
            "١٧٣٥".as_bytes(),
            Kind::MalformedTimestamp,
        ),
        (
            "the byte before '0'",
            b"1735471/00",
            Kind::MalformedTimestamp,
        ),
        (
            "the byte after '9'",
            b"1735471:00",
            Kind::MalformedTimestamp,
        ),
    ];
    for (label, timestamp, kind) in rows {
        let head = [
            ("x-scrupp-signature", signature.signature().as_bytes()),
            ("x-scrupp-timestamp", *timestamp),
        ];
        let rejection = verifier.verify(&head, BODY, at(NOW)).unwrap_err();
        assert_eq!(rejection.kind(), *kind, "{label}");
    }
}

#[test]
fn verifies_the_timestamp_as_received() {
    // A receiver that signs the parsed number instead would accept these.
    let genuine = signed(BODY);
    for timestamp in ["01735471800", "+1735471800", "1735471800 "] {
        let head = [
            ("x-scrupp-signature", genuine.signature()),
            ("x-scrupp-timestamp", timestamp),
        ];
        assert!(
            verifier().verify(&head, BODY, at(NOW)).is_err(),
            "{timestamp}"
        );
    }
}

#[test]
fn accepts_timestamps_up_to_the_tolerance_and_not_a_second_more() {
    let strict = Tolerance::new(Duration::ZERO, Duration::ZERO);
    let default = Tolerance::default();
    let endless = Tolerance::new(Duration::MAX, Duration::MAX);
    let rows = [
        ("now", default, NOW, NOW, None),
        ("300 s old", default, NOW, NOW + 300, None),
        (
            "301 s old",
            default,
            NOW,
            NOW + 301,
            Some((Kind::TooOld, 301)),
        ),
        ("60 s ahead", default, NOW + 60, NOW, None),
        (
            "61 s ahead",
            default,
            NOW + 61,
            NOW,
            Some((Kind::InFuture, -61)),
        ),
        ("no tolerance, now", strict, NOW, NOW, None),
        (
            "no tolerance, 1 s old",
            strict,
            NOW,
            NOW + 1,
            Some((Kind::TooOld, 1)),
        ),
        (
            "no tolerance, 1 s ahead",
            strict,
            NOW + 1,
            NOW,
            Some((Kind::InFuture, -1)),
        ),
        ("in 1970", default, 1, 301, None),
        ("a clock at 0", default, 61, 0, Some((Kind::InFuture, -61))),
        ("a clock at 0, within the tolerance", default, 60, 0, None),
        (
            "the earliest timestamp at the latest time",
            default,
            1,
            u64::MAX,
            Some((Kind::TooOld, i64::MAX)),
        ),
        (
            "the latest timestamp at 0",
            default,
            u64::MAX,
            0,
            Some((Kind::InFuture, i64::MIN)),
        ),
        (
            "the latest timestamp at the latest time",
            default,
            u64::MAX,
            u64::MAX,
            None,
        ),
        ("any age", endless, 1, u64::MAX, None),
        ("any time ahead", endless, u64::MAX, 0, None),
        (
            "milliseconds",
            default,
            NOW * 1000,
            NOW,
            Some((Kind::TimestampInMilliseconds, -1_733_736_328_200)),
        ),
        (
            "12 digits",
            default,
            999_999_999_999,
            NOW,
            Some((Kind::InFuture, -998_264_528_199)),
        ),
        (
            "14 digits",
            default,
            10_000_000_000_000,
            NOW,
            Some((Kind::InFuture, -9_998_264_528_200)),
        ),
        (
            "13 digits in the past",
            default,
            1_000_000_000_000,
            2_000_000_000_000,
            Some((Kind::TooOld, 1_000_000_000_000)),
        ),
    ];
    let signer = Signer::new(&secret("topsecret"));
    for (label, tolerance, sent, received, rejected) in rows {
        let head = signer.sign(at(sent), BODY);
        let verdict = verifier()
            .tolerance(tolerance)
            .verify(&head, BODY, at(received));
        let reason = verdict.err().map(|rejection| {
            let age_secs = rejection.age_secs().expect("a rejection by age has an age");
            (rejection.kind(), age_secs)
        });
        assert_eq!(reason, rejected, "{label}");
    }
}

#[test]
fn accepts_only_sha256_and_64_hex_digits() {
    let genuine = signed(BODY);
    let digits = genuine.signature().strip_prefix("sha256=").unwrap();
    let with = |prefix: &str, digits: &str, suffix: &str| format!("{prefix}{digits}{suffix}");
    let first_swapped = |byte: char| format!("sha256={byte}{}", &digits[1..]);
    let last_swapped = |byte: char| format!("sha256={}{byte}", &digits[..63]);

    let rows = [
        ("genuine", with("sha256=", digits, ""), None),
        (
            "upper-case digits",
            with("sha256=", &digits.to_uppercase(), ""),
            None,
        ),
        (
            "digits of both cases",
            with(
                "sha256=",
                &(digits[..32].to_uppercase() + &digits[32..]),
                "",
            ),
            None,
        ),
        (
            "63 digits",
            with("sha256=", &digits[..63], ""),
            Some(Kind::MalformedSignature),
        ),
        (
            "65 digits",
            with("sha256=", digits, "0"),
            Some(Kind::MalformedSignature),
        ),
        (
            "62 digits",
            with("sha256=", &digits[..62], ""),
            Some(Kind::MalformedSignature),
        ),
        (
            "66 digits",
            with("sha256=", digits, "00"),
            Some(Kind::MalformedSignature),
        ),
        (
            "no digits",
            with("sha256=", "", ""),
            Some(Kind::MalformedSignature),
        ),
        ("empty", String::new(), Some(Kind::MalformedSignature)),
        (
            "no prefix",
            with("", digits, ""),
            Some(Kind::MalformedSignature),
        ),
        (
            "upper-case prefix",
            with("SHA256=", digits, ""),
            Some(Kind::MalformedSignature),
        ),
        (
            "another prefix",
            with("sha512=", digits, ""),
            Some(Kind::MalformedSignature),
        ),
        (
            "a dash",
            with("sha-256=", digits, ""),
            Some(Kind::MalformedSignature),
        ),
        (
            "space inside",
            with("sha256= ", digits, ""),
            Some(Kind::MalformedSignature),
        ),
        (
            "space before",
            with(" sha256=", digits, ""),
            Some(Kind::MalformedSignature),
        ),
        (
            "space after",
            with("sha256=", digits, " "),
            Some(Kind::MalformedSignature),
        ),
        (
            "line feed after",
            with("sha256=", digits, "\n"),
            Some(Kind::MalformedSignature),
        ),
        (
            "NUL after",
            with("sha256=", digits, "\0"),
            Some(Kind::MalformedSignature),
        ),
        (
            "a comma and another value",
            with("sha256=", digits, ",v1"),
            Some(Kind::MalformedSignature),
        ),
        (
            "g first",
            first_swapped('g'),
            Some(Kind::MalformedSignature),
        ),
        ("g last", last_swapped('g'), Some(Kind::MalformedSignature)),
        ("G last", last_swapped('G'), Some(Kind::MalformedSignature)),
        (
            "the byte before '0'",
            last_swapped('/'),
            Some(Kind::MalformedSignature),
        ),
        (
            "the byte after '9'",
            first_swapped(':'),
            Some(Kind::MalformedSignature),
        ),
        (
            "the byte before 'A'",
            first_swapped('@'),
            Some(Kind::MalformedSignature),
        ),
        (
            "the byte before 'a'",
            last_swapped('`'),
            Some(Kind::MalformedSignature),
        ),
        (
            "two letters that are not digits",
            with("sha256=", &digits[..62], "gg"),
            Some(Kind::MalformedSignature),
        ),
        (
            "all zeros",
            with("sha256=", &"0".repeat(64), ""),
            Some(Kind::SignatureMismatch),
        ),
        (
            "all ones",
            with("sha256=", &"f".repeat(64), ""),
            Some(Kind::SignatureMismatch),
        ),
    ];
    for (label, signature, rejected) in rows {
        let head: [(&str, &[u8]); 2] = [
            ("x-scrupp-signature", signature.as_bytes()),
            ("x-scrupp-timestamp", genuine.timestamp().as_bytes()),
        ];
        assert_eq!(verdict(&head).err(), rejected, "{label}");
    }
    let obs_text = [&genuine.signature().as_bytes()[..70], b"\xe9"].concat();
    let head: [(&str, &[u8]); 2] = [
        ("x-scrupp-signature", &obs_text),
        ("x-scrupp-timestamp", genuine.timestamp().as_bytes()),
    ];
    assert_eq!(verdict(&head), Err(Kind::MalformedSignature), "obs-text");
}

#[test]
fn rejects_each_flipped_bit_of_the_signature() {
    let genuine = signed(BODY);
    let digits = genuine.signature().strip_prefix("sha256=").unwrap();
    for nibble in 0..64 {
        for bit in 0..4 {
            let digit = u8::from_str_radix(&digits[nibble..=nibble], 16).unwrap() ^ 1 << bit;
            let flipped = format!(
                "sha256={}{digit:x}{}",
                &digits[..nibble],
                &digits[nibble + 1..]
            );
            let head: [(&str, &[u8]); 2] = [
                ("x-scrupp-signature", flipped.as_bytes()),
                ("x-scrupp-timestamp", genuine.timestamp().as_bytes()),
            ];
            assert_eq!(
                verdict(&head),
                Err(Kind::SignatureMismatch),
                "digit {nibble}, bit {bit}"
            );
        }
    }
}

#[test]
fn checks_signature_timestamp_window_and_length_in_this_order() {
    let head = |signature, timestamp, length| {
        [
            ("x-scrupp-signature", signature),
            ("x-scrupp-timestamp", timestamp),
            ("content-length", length),
        ]
    };
    let zeros = format!("sha256={}", "0".repeat(64));
    let rows = [
        (head("x", "x", "999999"), Kind::MalformedSignature),
        (head(&zeros, "x", "999999"), Kind::MalformedTimestamp),
        (head(&zeros, "1", "999999"), Kind::TooOld),
        (head(&zeros, "1735471800", "999999"), Kind::BodyTooLarge),
        (head(&zeros, "1735471800", "1"), Kind::SignatureMismatch),
    ];
    for (head, kind) in rows {
        let rejection = verifier().verify(&head, b"x", at(NOW)).unwrap_err();
        assert_eq!(rejection.kind(), kind);
    }
}

#[test]
fn accepts_a_body_at_the_limit_in_chunks_of_any_size() {
    let body = [b'x'; 100];
    let head = signed(&body);
    for chunk_bytes in [1, 3, 64, 99, 100] {
        let verifier = verifier().body_limit(100);
        let mut delivery = verifier.begin(&head, at(NOW)).unwrap();
        for chunk in body.chunks(chunk_bytes) {
            delivery.update(chunk).unwrap();
        }
        delivery.update(b"").unwrap();
        assert!(delivery.clone().finish().is_ok(), "chunks of {chunk_bytes}");
        let exceeded = delivery.update(b"x").unwrap_err();
        assert_eq!(
            exceeded.kind(),
            Kind::BodyTooLarge,
            "chunks of {chunk_bytes}"
        );
    }
}

#[test]
fn keeps_rejecting_after_the_body_exceeds_the_limit() {
    let body = [b'x'; 100];
    let head = signed(&body);
    let mut delivery = verifier().body_limit(100).begin(&head, at(NOW)).unwrap();
    delivery.update(&body).unwrap();
    assert!(delivery.update(b"y").is_err());
    assert!(delivery.update(b"").is_err());
    assert_eq!(delivery.finish().unwrap_err().kind(), Kind::BodyTooLarge);
}

#[test]
fn accepts_an_empty_body_with_a_limit_of_zero() {
    let head = signed(b"");
    let verifier = verifier().body_limit(0);
    assert!(verifier.verify(&head, b"", at(NOW)).is_ok());
    let rejection = verifier.verify(&head, b"x", at(NOW)).unwrap_err();
    assert_eq!(rejection.kind(), Kind::BodyTooLarge);
}

#[test]
fn rejects_a_declared_length_that_exceeds_the_limit_and_ignores_an_invalid_one() {
    let signed = signed(BODY);
    let limit = BODY.len();
    let rows = [
        ("at the limit", limit.to_string(), false),
        ("one above the limit", (limit + 1).to_string(), true),
        (
            "one above the limit, with leading zeros",
            format!("000{}", limit + 1),
            true,
        ),
        ("four exabytes", "4611686018427387904".into(), true),
        ("the largest number", u64::MAX.to_string(), true),
        (
            "more than the largest number",
            "99999999999999999999999".into(),
            true,
        ),
        ("zero", "0".into(), false),
        ("empty", String::new(), false),
        ("negative", "-99999999".into(), false),
        ("plus", "+99999999".into(), false),
        ("not a number", "lots".into(), false),
        ("a list", format!("{limit}, 99999999"), false),
    ];
    for (label, declared, early) in rows {
        let head = [
            ("x-scrupp-signature", signed.signature()),
            ("x-scrupp-timestamp", signed.timestamp()),
            ("Content-Length", &declared),
        ];
        let begun = verifier().body_limit(limit).begin(&head, at(NOW));
        let kind = begun.err().map(|rejection| rejection.kind());
        assert_eq!(kind, early.then_some(Kind::BodyTooLarge), "{label}");
    }
}

#[test]
fn rejects_if_any_declared_length_exceeds_the_limit() {
    let signed = signed(BODY);
    let head = [
        ("content-length", "1"),
        ("x-scrupp-signature", signed.signature()),
        ("x-scrupp-timestamp", signed.timestamp()),
        ("content-length", "1000000"),
    ];
    let rejection = verifier().begin(&head, at(NOW)).unwrap_err();
    assert_eq!(rejection.kind(), Kind::BodyTooLarge);
}

#[test]
fn default_body_limit_is_256_kib() {
    let at_limit = vec![0; 256 * 1024];
    assert!(
        verifier()
            .verify(&signed(&at_limit), &at_limit, at(NOW))
            .is_ok()
    );
    let over = vec![0; 256 * 1024 + 1];
    let rejection = verifier()
        .verify(&signed(&over), &over, at(NOW))
        .unwrap_err();
    assert_eq!(rejection.kind(), Kind::BodyTooLarge);
}

#[test]
fn tries_every_secret_and_returns_the_index_of_the_match() {
    let names = ["first", "second", "third", "fourth"];
    for count in 1..=Keyring::MAX_SECRETS {
        let keyring = Keyring::new(names[..count].iter().map(|name| secret(name))).unwrap();
        let verifier = Verifier::new(keyring);
        for (index, name) in names.iter().enumerate() {
            let head = Signer::new(&secret(name)).sign(at(NOW), BODY);
            let verdict = verifier.verify(&head, BODY, at(NOW));
            let expected = (index < count)
                .then_some(index)
                .ok_or(Kind::SignatureMismatch);
            assert_eq!(
                verdict
                    .map(|delivery| delivery.verified().secret_index())
                    .map_err(|r| r.kind()),
                expected,
                "secret {index} of {count}"
            );
        }
    }
}

#[test]
fn returns_the_first_index_of_equal_secrets() {
    let verifier = Verifier::new([secret("other"), secret("topsecret"), secret("topsecret")]);
    let delivery = verifier.verify(&signed(BODY), BODY, at(NOW)).unwrap();
    assert_eq!(delivery.verified().secret_index(), 1);
}

#[test]
fn rejects_every_delivery_to_an_unknown_account() {
    let head = Policy::default()
        .check_head(&signed(BODY), at(NOW))
        .unwrap();
    let unknown = Keyring::of_unknown_account();
    let rejection = head.verify(&unknown, BODY).unwrap_err();
    assert_eq!(rejection.kind(), Kind::UnknownAccount);
    let mut delivery = head.begin(&unknown);
    delivery.update(BODY).unwrap();
    assert_eq!(delivery.finish().unwrap_err().kind(), Kind::UnknownAccount);
}

#[test]
fn verification_in_steps_equals_verification_at_once() {
    let body: Vec<u8> = (0..1000_u32).map(|index| index as u8).collect();
    let head = Policy::default()
        .check_head(&signed(&body), at(NOW))
        .unwrap();
    let keyring = Keyring::from(secret("topsecret"));
    let mut tampered = body.clone();
    tampered[999] ^= 1;
    for step_bytes in [1, 64, 999, 1000, 1001, usize::MAX] {
        for bytes in [&body, &tampered] {
            let mut steps = head.verify_in_steps(&keyring, bytes);
            let mut count = 0;
            while steps.step(step_bytes) {
                count += 1;
            }
            assert_eq!(count, 1000_usize.div_ceil(step_bytes), "{step_bytes}");
            assert_eq!(steps.finish(), head.verify(&keyring, bytes));
            // `finish` hashes the remaining bytes.
            let mut begun = head.verify_in_steps(&keyring, bytes);
            begun.step(step_bytes.min(500));
            assert_eq!(begun.finish(), head.verify(&keyring, bytes));
        }
    }
}

#[test]
fn rejects_a_body_that_exceeds_the_limit_in_steps() {
    let body = [b' '; 101];
    let policy = Policy::default().body_limit(100);
    let head = policy.check_head(&signed(&body), at(NOW)).unwrap();
    let mut steps = head.verify_in_steps(&Keyring::from(secret("topsecret")), body);
    while steps.step(10) {}
    assert_eq!(steps.finish().unwrap_err().kind(), Kind::BodyTooLarge);
}

#[test]
fn the_proof_contains_the_account() {
    let account = Account::new("17", secret("topsecret"));
    let id = account.id();
    let head = Policy::default()
        .check_head(&signed(BODY), at(NOW))
        .unwrap();
    let delivery = head.verify(account.keyring(), BODY).unwrap();
    assert_eq!(delivery.verified().account(), Some(id));
    let mut delivery = head.begin(account.keyring());
    delivery.update(BODY).unwrap();
    assert_eq!(delivery.finish().unwrap().account(), Some(id));

    assert_ne!(id, Account::new("18", secret("topsecret")).id());
    let delivery = verifier().verify(&signed(BODY), BODY, at(NOW)).unwrap();
    assert_eq!(delivery.verified().account(), None);
}

#[test]
fn a_dot_in_the_body_does_not_end_the_timestamp() {
    let head = Signer::new(&secret("topsecret")).sign(at(NOW), b"1.2");
    assert!(verifier().verify(&head, b"1.2", at(NOW)).is_ok());
    let shifted = [
        ("x-scrupp-signature", head.signature()),
        ("x-scrupp-timestamp", "1735471800.1"),
    ];
    let rejection: Rejection = verifier().verify(&shifted, b"2", at(NOW)).unwrap_err();
    assert_eq!(rejection.kind(), Kind::MalformedTimestamp);
}

//! Rule 4: which signatures are read, and that nothing but the right one is accepted.

use std::collections::BTreeSet;

use scrupp_verify_core::{
    RejectionKind::{self, MalformedSignature, SignatureMismatch},
    SIGNATURE_HEADER, TIMESTAMP_HEADER,
};

use crate::{BODY, Head, NOW, SECRET, hex, refusal, refusal_of_head, tag, verifier};

const TIMESTAMP: &[u8] = b"1735471800";

fn good_tag() -> [u8; 32] {
    tag(SECRET.as_bytes(), TIMESTAMP, BODY)
}

fn head(signature: impl Into<Vec<u8>>) -> Head {
    vec![
        (SIGNATURE_HEADER, signature.into()),
        (TIMESTAMP_HEADER, TIMESTAMP.to_vec()),
    ]
}

#[test]
fn reads_nothing_but_sha256_and_64_hex_digits() {
    let digits = hex(&good_tag());
    let upper = digits.to_uppercase();
    let mixed: String = digits
        .char_indices()
        .map(|(place, digit)| {
            if place % 2 == 0 {
                digit.to_ascii_uppercase()
            } else {
                digit
            }
        })
        .collect();
    assert!(digits != upper && mixed != digits && mixed != upper);
    let malformed = Some(MalformedSignature);

    let table: &[(&str, String, Option<RejectionKind>)] = &[
        ("lower case", format!("sha256={digits}"), None),
        ("upper case", format!("sha256={upper}"), None),
        ("mixed case", format!("sha256={mixed}"), None),
        ("empty", String::new(), malformed),
        ("only a space", " ".into(), malformed),
        ("only the name", "sha256".into(), malformed),
        ("no digits", "sha256=".into(), malformed),
        ("no prefix", digits.clone(), malformed),
        (
            "prefix in upper case",
            format!("SHA256={digits}"),
            malformed,
        ),
        (
            "prefix in mixed case",
            format!("Sha256={digits}"),
            malformed,
        ),
        ("another hash", format!("sha512={digits}"), malformed),
        ("a shorter name", format!("sha1={digits}"), malformed),
        ("a version", format!("v1={digits}"), malformed),
        ("a hyphen", format!("sha-256={digits}"), malformed),
        ("colon", format!("sha256:{digits}"), malformed),
        ("no equals sign", format!("sha256{digits}"), malformed),
        ("two equals signs", format!("sha256=={digits}"), malformed),
        ("prefix twice", format!("sha256=sha256={digits}"), malformed),
        ("62 digits", format!("sha256={}", &digits[..62]), malformed),
        ("63 digits", format!("sha256={}", &digits[..63]), malformed),
        (
            "63 digits, the first missing",
            format!("sha256={}", &digits[1..]),
            malformed,
        ),
        ("65 digits", format!("sha256={digits}0"), malformed),
        ("66 digits", format!("sha256={digits}00"), malformed),
        (
            "66 digits, zeros first",
            format!("sha256=00{digits}"),
            malformed,
        ),
        ("128 digits", format!("sha256={digits}{digits}"), malformed),
        ("32 digits", format!("sha256={}", &digits[..32]), malformed),
        (
            "8 KiB of digits",
            format!("sha256={}", "0".repeat(8192)),
            malformed,
        ),
        ("space before", format!(" sha256={digits}"), malformed),
        ("space within", format!("sha256= {digits}"), malformed),
        ("space behind", format!("sha256={digits} "), malformed),
        ("tab behind", format!("sha256={digits}\t"), malformed),
        ("line feed behind", format!("sha256={digits}\n"), malformed),
        ("NUL behind", format!("sha256={digits}\0"), malformed),
        (
            "space for a digit",
            format!("sha256= {}", &digits[1..]),
            malformed,
        ),
        ("semicolon behind", format!("sha256={digits};"), malformed),
        ("quoted", format!("\"sha256={digits}\""), malformed),
        ("0x", format!("sha256=0x{}", &digits[2..]), malformed),
        ("plus", format!("sha256=+{}", &digits[1..]), malformed),
        (
            "a colon between bytes",
            format!("sha256={}:{}", &digits[..2], &digits[3..]),
            malformed,
        ),
        (
            "comma-joined",
            format!("sha256={digits},sha256={digits}"),
            malformed,
        ),
        (
            "comma-joined with a space",
            format!("sha256={digits}, sha256={digits}"),
            malformed,
        ),
        ("comma behind", format!("sha256={digits},"), malformed),
        (
            "full-width digit",
            format!("sha256=\u{ff11}{}", &digits[3..]),
            malformed,
        ),
        (
            "another tag",
            format!("sha256={}", "5a".repeat(32)),
            Some(SignatureMismatch),
        ),
        (
            "all zeros",
            format!("sha256={}", "0".repeat(64)),
            Some(SignatureMismatch),
        ),
        (
            "all ones",
            format!("sha256={}", "f".repeat(64)),
            Some(SignatureMismatch),
        ),
    ];
    for (label, signature, expected) in table {
        let head = head(signature.as_str());
        assert_eq!(
            refusal(&verifier(), &*head, BODY, NOW),
            *expected,
            "{label}"
        );
        let at_head = expected.filter(|kind| *kind != SignatureMismatch);
        assert_eq!(
            refusal_of_head(&verifier(), &*head, NOW),
            at_head,
            "{label}, head alone"
        );
    }
}

#[test]
fn refuses_every_byte_that_is_no_hex_digit_at_every_place() {
    for place in 7..71 {
        for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_hexdigit()) {
            let mut signature = format!("sha256={}", hex(&good_tag())).into_bytes();
            signature[place] = byte;
            let refused = refusal_of_head(&verifier(), &*head(signature), NOW);
            assert_eq!(
                refused,
                Some(MalformedSignature),
                "byte {byte:#04x} at {place}"
            );
        }
    }
}

#[test]
fn refuses_every_other_byte_in_the_prefix() {
    for place in 0..7 {
        let good = format!("sha256={}", hex(&good_tag())).into_bytes();
        for byte in (0..=u8::MAX).filter(|byte| *byte != good[place]) {
            let mut signature = good.clone();
            signature[place] = byte;
            let refused = refusal_of_head(&verifier(), &*head(signature), NOW);
            assert_eq!(
                refused,
                Some(MalformedSignature),
                "byte {byte:#04x} at {place}"
            );
        }
    }
}

#[test]
fn reads_each_hex_digit_as_its_value_at_each_place() {
    let mut seen = BTreeSet::new();
    for n in 0..=u8::MAX {
        let digits = hex(&tag(SECRET.as_bytes(), TIMESTAMP, &[n]));
        for digits in [digits.to_uppercase(), digits] {
            let head = head(format!("sha256={digits}"));
            assert_eq!(refusal(&verifier(), &*head, &[n], NOW), None, "{digits}");
            seen.extend(digits.bytes().enumerate());
        }
    }
    assert_eq!(seen.len(), 64 * "0123456789abcdefABCDEF".len());
}

#[test]
fn compares_the_tag_at_full_length() {
    for bit in 0..256 {
        let mut tag = good_tag();
        tag[bit / 8] ^= 1 << (bit % 8);
        let refused = refusal(
            &verifier(),
            &*head(format!("sha256={}", hex(&tag))),
            BODY,
            NOW,
        );
        assert_eq!(refused, Some(SignatureMismatch), "bit {bit}");
    }
    for kept in 0..32 {
        let mut tag = good_tag();
        tag[kept..].iter_mut().for_each(|byte| *byte = !*byte);
        let refused = refusal(
            &verifier(),
            &*head(format!("sha256={}", hex(&tag))),
            BODY,
            NOW,
        );
        assert_eq!(refused, Some(SignatureMismatch), "only {kept} bytes right");
    }
}

#[test]
fn refuses_what_is_signed_otherwise() {
    let body_alone = {
        use hmac::{KeyInit, Mac};
        let mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.chain_update(BODY).finalize().into_bytes()
    };
    let plain_hash = {
        use sha2::Digest;
        sha2::Sha256::digest([SECRET.as_bytes(), TIMESTAMP, b".", BODY].concat())
    };
    let key = SECRET.as_bytes();
    let table: [(&str, &[u8]); 7] = [
        ("the body alone", &body_alone),
        ("a hash instead of a MAC", &plain_hash),
        ("another timestamp", &tag(key, b"1735471801", BODY)),
        ("no timestamp", &tag(key, b"", BODY)),
        ("an empty body", &tag(key, TIMESTAMP, b"")),
        ("body and timestamp swapped", &tag(key, BODY, TIMESTAMP)),
        ("an empty secret", &tag(b"", TIMESTAMP, BODY)),
    ];
    for (label, tag) in table {
        let refused = refusal(
            &verifier(),
            &*head(format!("sha256={}", hex(tag))),
            BODY,
            NOW,
        );
        assert_eq!(refused, Some(SignatureMismatch), "{label}");
    }
}

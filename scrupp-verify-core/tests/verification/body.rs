//! Rules 6 and 7: the limit, by the declared length and by the bytes that come.

use scrupp_verify_core::{
    RejectionKind::{self, BodyTooLarge, SignatureMismatch},
    SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier,
};

use crate::{BODY, Head, NOW, head_for, refusal, refusal_of_head, stream, verifier};

const TIMESTAMP: &str = "1735471800";

fn kind<T>(verdict: Result<T, scrupp_verify_core::Rejection>) -> Option<RejectionKind> {
    verdict.err().map(|rejection| rejection.kind())
}

fn begin(verifier: &Verifier, body: &[u8]) -> scrupp_verify_core::Delivery {
    verifier.begin(&*head_for(TIMESTAMP, body), NOW).unwrap()
}

#[test]
fn takes_a_declared_length_for_a_hint_to_refuse_early() {
    let over = Some(BodyTooLarge);
    let table: &[(&str, &[&[u8]], Option<RejectionKind>)] = &[
        ("none", &[], None),
        ("zero", &[b"0"], None),
        ("less than what comes", &[b"3"], None),
        ("at the limit", &[b"10"], None),
        ("one over", &[b"11"], over),
        ("another digit", &[b"100"], over),
        ("the largest that fits", &[b"18446744073709551615"], over),
        ("one more than fits", &[b"18446744073709551616"], over),
        ("wrapping to the limit", &[b"18446744073709551626"], over),
        ("four exabytes", &[b"4611686018427387904"], over),
        ("30 digits", &[&[b'9'; 30]], over),
        (
            "at the limit, padded",
            &[b"000000000000000000000000000010"],
            None,
        ),
        (
            "one over, padded",
            &[b"000000000000000000000000000011"],
            over,
        ),
        ("the same twice", &[b"10", b"10"], None),
        ("the first one over", &[b"11", b"10"], over),
        ("the second one over", &[b"10", b"11"], over),
        ("one over, behind garbage", &[b"x", b"11"], over),
        ("empty", &[b""], None),
        ("plus", &[b"+11"], None),
        ("minus", &[b"-11"], None),
        ("space before", &[b" 11"], None),
        ("space behind", &[b"11 "], None),
        ("comma-joined", &[b"11, 11"], None),
        ("fraction", &[b"11.0"], None),
        ("exponent", &[b"1e9"], None),
        ("hexadecimal", &[b"0xff"], None),
        (
            "garbage behind digits",
            &[b"99999999999999999999999x"],
            None,
        ),
        ("obs-text", &[b"\xb11"], None),
    ];
    let verifier = verifier().body_limit(10);
    for (label, declared, expected) in table {
        for (body, counted) in [(&b"0123456789"[..], None), (b"0123456789a", over)] {
            let mut head: Head = head_for(TIMESTAMP, body);
            head.extend(
                declared
                    .iter()
                    .map(|value| ("Content-Length", value.to_vec())),
            );
            assert_eq!(
                refusal_of_head(&verifier, &*head, NOW),
                *expected,
                "{label}, head alone"
            );
            let refused = refusal(&verifier, &*head, body, NOW);
            assert_eq!(
                refused,
                expected.or(counted),
                "{label}, {} bytes",
                body.len()
            );
        }
    }
}

#[test]
fn accepts_a_body_at_the_limit_and_none_a_byte_longer_in_chunks_of_every_size() {
    let body = [7; 300];
    let head = head_for(TIMESTAMP, &body);
    for chunk_bytes in (1..=64).chain([65, 127, 128, 129, 299, 300]) {
        let verdict = |limit| {
            let verifier = verifier().body_limit(limit);
            kind(stream(&verifier, &*head, body.chunks(chunk_bytes), NOW))
        };
        assert_eq!(verdict(300), None, "at the limit, chunks of {chunk_bytes}");
        assert_eq!(
            verdict(299),
            Some(BodyTooLarge),
            "one over, chunks of {chunk_bytes}"
        );
    }
}

#[test]
fn has_a_default_limit_of_256_kib() {
    let mut body = vec![b' '; 262_144];
    assert_eq!(
        refusal(&verifier(), &*head_for(TIMESTAMP, &body), &body, NOW),
        None
    );
    body.push(b' ');
    let head = head_for(TIMESTAMP, &body);
    assert_eq!(refusal(&verifier(), &*head, &body, NOW), Some(BodyTooLarge));
}

#[test]
fn takes_any_number_for_a_limit() {
    let table: [(usize, &[u8], &[u8], Option<RejectionKind>); 6] = [
        (0, b"", b"0", None),
        (0, b"", b"1", Some(BodyTooLarge)),
        (0, b"x", b"0", Some(BodyTooLarge)),
        (1, b"x", b"1", None),
        (usize::MAX, b"x", b"1", None),
        (usize::MAX, b"x", b"18446744073709551615", None),
    ];
    for (limit, body, declared, expected) in table {
        let mut head = head_for(TIMESTAMP, body);
        head.push(("content-length", declared.to_vec()));
        let refused = refusal(&verifier().body_limit(limit), &*head, body, NOW);
        assert_eq!(
            refused,
            expected,
            "limit {limit}, {} bytes, {declared:?} declared",
            body.len()
        );
    }
}

#[test]
fn stays_refused_once_it_is_over_the_limit() {
    // What fits is signed and was taken in: it must not pass for the whole.
    let body = b"0123456789";
    let verifier = verifier().body_limit(body.len());
    for surplus in [&b"a"[..], &[b'a'; 64], &[b'a'; 1000]] {
        let mut delivery = begin(&verifier, body);
        delivery.update(body).unwrap();
        let copy = delivery.clone();
        assert_eq!(kind(delivery.update(surplus)), Some(BodyTooLarge));
        assert_eq!(
            kind(delivery.update(b"")),
            Some(BodyTooLarge),
            "no more bytes"
        );
        assert_eq!(
            kind(delivery.clone().finish()),
            Some(BodyTooLarge),
            "finished after an error"
        );
        assert_eq!(
            kind(delivery.update(b"b")),
            Some(BodyTooLarge),
            "more bytes"
        );
        assert_eq!(kind(delivery.finish()), Some(BodyTooLarge));
        assert!(copy.finish().is_ok(), "without the surplus it is good");
    }
}

#[test]
fn does_not_take_a_body_over_the_limit_for_one_that_ends_there() {
    // The chunk that goes over the limit is left out of the MAC: what follows must not make up.
    let verifier = verifier().body_limit(10);
    let mut delivery = begin(&verifier, b"0123456789");
    assert_eq!(
        kind(delivery.update(b"too much to take")),
        Some(BodyTooLarge)
    );
    assert_eq!(kind(delivery.update(b"0123456789")), Some(BodyTooLarge));
    assert_eq!(kind(delivery.finish()), Some(BodyTooLarge));
}

#[test]
fn refuses_a_body_that_is_not_the_one_signed() {
    let longer = [BODY, b"\n"].concat();
    let spaced = BODY
        .iter()
        .flat_map(|byte| [*byte, b' '])
        .collect::<Vec<_>>();
    let table: [(&str, &[u8]); 6] = [
        ("nothing", b""),
        ("cut short by a byte", &BODY[..BODY.len() - 1]),
        ("without its first byte", &BODY[1..]),
        ("with a line feed behind", &longer),
        ("the same JSON with more space", &spaced),
        (
            "a byte order mark before",
            &[b"\xef\xbb\xbf", BODY].concat(),
        ),
    ];
    let head = head_for(TIMESTAMP, BODY);
    for (label, body) in table {
        assert_eq!(
            refusal(&verifier(), &*head, body, NOW),
            Some(SignatureMismatch),
            "{label}"
        );
    }
}

#[test]
fn accepts_bodies_of_every_length_in_chunks_of_every_size() {
    let bytes: Vec<u8> = (0..=u8::MAX).collect();
    for length in 0..=200 {
        let body = &bytes[..length];
        let head = head_for(TIMESTAMP, body);
        for chunk_bytes in 1..=64 {
            let verdict = stream(&verifier(), &*head, body.chunks(chunk_bytes), NOW);
            assert_eq!(
                kind(verdict),
                None,
                "{length} bytes in chunks of {chunk_bytes}"
            );
        }
    }
}

#[test]
fn takes_empty_chunks_anywhere() {
    let head = head_for(TIMESTAMP, BODY);
    let chunks = [&b""[..], b"", &BODY[..20], b"", &BODY[20..], b""];
    assert_eq!(kind(stream(&verifier(), &*head, chunks, NOW)), None);
}

#[test]
fn lets_a_copy_go_its_own_way() {
    let (before, behind) = BODY.split_at(20);
    let mut delivery = begin(&verifier(), BODY);
    delivery.update(before).unwrap();
    let mut copy = delivery.clone();
    copy.update(b"something else").unwrap();
    delivery.update(behind).unwrap();
    assert_eq!(kind(delivery.finish()), None);
    assert_eq!(kind(copy.finish()), Some(SignatureMismatch));
}

#[test]
fn exports_the_names_of_the_headers_in_lower_case() {
    assert_eq!(SIGNATURE_HEADER, "x-scrupp-signature");
    assert_eq!(TIMESTAMP_HEADER, "x-scrupp-timestamp");
}

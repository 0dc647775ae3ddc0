//! Signing: as OpenSSL does, and so that it verifies.

use core::time::Duration;

use proptest::prelude::*;
use scrupp_verify_core::{
    RejectionKind::MalformedTimestamp, RequestHead, SignedHeaders, Signer, Tolerance, UnixTime,
    Verifier,
};

use crate::{BODY, NOW, SECRET, openssl, refusal, secret, signature, verifier};

fn signed(secs: u64) -> SignedHeaders {
    Signer::new(&secret(SECRET)).sign(UnixTime::from_secs(secs), BODY)
}

#[test]
fn signs_and_verifies_as_openssl_does() {
    for vector in openssl::VECTORS {
        let now = UnixTime::from_secs(vector.timestamp);
        let (key, body) = (secret(vector.secret), vector.body.as_bytes());
        let headers = Signer::new(&key).sign(now, body);
        assert_eq!(
            headers.signature(),
            vector.signature,
            "at {now}: {}",
            vector.body
        );
        let timestamp = vector.timestamp.to_string();
        let head = [
            ("X-Scrupp-Timestamp", &*timestamp),
            ("X-Scrupp-Signature", vector.signature),
        ];
        assert_eq!(refusal(&Verifier::new(key), &head, body, now), None);
    }
    assert_eq!(openssl::VECTORS.len(), 12);
}

#[test]
fn writes_the_headers_out() {
    let headers = signed(1_735_471_800);
    let signature = "sha256=b928f18f6ff69d1e2625f45e018cf4a890e64726c1bf849d9ea07484f3faf777";
    assert_eq!(headers.signature(), signature);
    assert_eq!(headers.timestamp(), "1735471800");
    assert_eq!(headers.time(), NOW);
    assert_eq!(
        headers.pairs(),
        [
            ("x-scrupp-signature", signature),
            ("x-scrupp-timestamp", "1735471800")
        ]
    );
}

#[test]
fn is_a_head_with_these_headers_and_no_other() {
    let headers = signed(1_735_471_800);
    let values = |name| headers.values(name).map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert_eq!(
        values("x-scrupp-signature"),
        [headers.signature().as_bytes()]
    );
    assert_eq!(values("x-scrupp-timestamp"), [b"1735471800"]);
    assert!(values("content-length").is_empty());
}

#[test]
fn writes_a_timestamp_of_every_length() {
    for digits in 1..=20 {
        let secs = 10_u64.pow(digits - 1);
        for secs in [secs, secs.saturating_mul(9), u64::MAX] {
            let headers = signed(secs);
            assert_eq!(headers.timestamp(), secs.to_string());
            assert_eq!(
                refusal(&verifier(), &headers, BODY, headers.time()),
                None,
                "{secs}"
            );
        }
    }
}

#[test]
fn signs_the_second_zero_but_nobody_accepts_it() {
    let headers = signed(0);
    assert_eq!(headers.timestamp(), "0");
    let refused = refusal(&verifier(), &headers, BODY, UnixTime::from_secs(0));
    assert_eq!(refused, Some(MalformedTimestamp));
}

#[test]
fn can_be_used_again() {
    let signer = Signer::new(&secret(SECRET));
    let first = signer.sign(NOW, BODY);
    assert_ne!(signer.sign(NOW, b""), first);
    assert_eq!(signer.clone().sign(NOW, BODY), first);
}

proptest! {
    #[test]
    fn agrees_with_another_implementation(
        key in "[!-~]{1,200}",
        secs in any::<u64>(),
        body in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let now = UnixTime::from_secs(secs);
        let headers = Signer::new(&secret(&key)).sign(now, &body);
        let expected = signature(key.as_bytes(), secs.to_string().as_bytes(), &body);
        prop_assert_eq!(headers.signature(), expected);
    }
}

#[test]
fn is_verified_as_old_as_it_is() {
    let headers = signed(1_735_471_800);
    let all = Tolerance::new(Duration::MAX, Duration::MAX);
    let table = [
        (1_735_471_800, 0),
        (1_735_471_830, 30),
        (1_735_471_790, -10),
        (0, -1_735_471_800),
        (u64::MAX, i64::MAX),
    ];
    for (now, age) in table {
        let verifier = verifier().tolerance(all);
        let verified = verifier
            .verify(&headers, BODY, UnixTime::from_secs(now))
            .unwrap();
        assert_eq!(verified.age_secs(), age, "at {now}");
        assert_eq!(verified.time(), NOW, "at {now}");
    }
}

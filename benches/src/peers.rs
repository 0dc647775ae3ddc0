//! Verify functions of other crates, each timed with the same body and a signature of its own scheme.
//!
//! Each call asserts that the delivery is accepted, because a rejection would be faster.

use core::hint::black_box;

use aws_lc_rs::hmac as aws;
use http::HeaderMap;
use ring::hmac as ring_hmac;
use scrupp_verify_benches::{
    by_hand,
    delivery::{SECRET, header, http_headers, sign},
    scheme,
};
use webhook_verify::VerifyOptions;

use crate::rounds::Rounds;

/// Adds the verify function of each of the other crates.
pub(crate) fn add<'a>(rounds: &mut Rounds<'a>, body: &'a [u8], repeats: u32) {
    add_webhook_verify(rounds, body, repeats);
    add_by_hand(rounds, body, repeats);
    add_svix(rounds, body, repeats);
    add_standardwebhooks(rounds, body, repeats);
    add_primitives(rounds, body, repeats);
}

fn add_webhook_verify<'a>(rounds: &mut Rounds<'a>, body: &'a [u8], repeats: u32) {
    let secret = webhook_verify::Secret::new(SECRET);
    let signed = sign(body);
    rounds.add("webhook-verify", repeats, {
        let secret = secret.clone();
        let signed = signed.clone();
        move || {
            let head = black_box(signed.pairs());
            let verdict = webhook_verify::verify(
                scheme::for_webhook_verify(),
                &head,
                black_box(body),
                &secret,
                VerifyOptions::default(),
            );
            assert!(verdict.is_ok());
        }
    });
    let headers = http_headers(&signed, body.len());
    rounds.add("webhook-verify, http headers", repeats, move || {
        let verdict = webhook_verify::verify(
            scheme::for_webhook_verify(),
            black_box(&headers),
            black_box(body),
            &secret,
            VerifyOptions::default(),
        );
        assert!(verdict.is_ok());
    });
}

fn add_by_hand<'a>(rounds: &mut Rounds<'a>, body: &'a [u8], repeats: u32) {
    let headers = http_headers(&sign(body), body.len());
    rounds.add("by hand, http headers", repeats, move || {
        let genuine = by_hand::verify(SECRET.as_bytes(), black_box(&headers), black_box(body));
        assert!(genuine);
    });
}

fn add_svix<'a>(rounds: &mut Rounds<'a>, body: &'a [u8], repeats: u32) {
    let webhook = svix::webhooks::Webhook::from_bytes(SECRET.into()).expect("a secret");
    let time = sign(body).time().as_secs().cast_signed();
    let signature = webhook.sign("msg_1", time, body).expect("signs ASCII");
    let headers = standard_headers(time, &signature);
    rounds.add("svix, http headers", repeats, move || {
        let verdict = webhook.verify(black_box(body), black_box(&headers));
        assert!(verdict.is_ok());
    });
}

fn add_standardwebhooks<'a>(rounds: &mut Rounds<'a>, body: &'a [u8], repeats: u32) {
    let webhook = standardwebhooks::Webhook::from_bytes(SECRET.into()).expect("a secret");
    let time = sign(body).time().as_secs().cast_signed();
    let signature = webhook.sign("msg_1", time, body).expect("signs ASCII");
    let headers = standard_headers(time, &signature);
    rounds.add("standardwebhooks, http headers", repeats, move || {
        let verdict = webhook.verify(black_box(body), black_box(&headers));
        assert!(verdict.is_ok());
    });
}

/// Returns the headers that `svix` and `standardwebhooks` read, and those that an HTTP client adds.
fn standard_headers(time: i64, signature: &str) -> HeaderMap {
    let time = time.to_string();
    let pairs = [
        ("host", "127.0.0.1"),
        ("content-type", "application/json"),
        ("content-length", "256"),
        ("user-agent", "scrupp/1"),
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", time.as_str()),
        ("webhook-signature", signature),
    ];
    pairs.into_iter().filter_map(header).collect()
}

/// Adds the MAC alone, with a prepared key, over the signed content in one chunk.
fn add_primitives(rounds: &mut Rounds<'_>, body: &[u8], repeats: u32) {
    let mut content = sign(body).timestamp().as_bytes().to_vec();
    content.push(b'.');
    content.extend_from_slice(body);
    let key = ring_hmac::Key::new(ring_hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = ring_hmac::sign(&key, &content);
    rounds.add("ring, the MAC alone", repeats, {
        let content = content.clone();
        move || {
            assert!(ring_hmac::verify(&key, black_box(&content), black_box(tag.as_ref())).is_ok())
        }
    });
    let key = aws::Key::new(aws::HMAC_SHA256, SECRET.as_bytes());
    let tag = aws::sign(&key, &content);
    rounds.add("aws-lc-rs, the MAC alone", repeats, move || {
        assert!(aws::verify(&key, black_box(&content), black_box(tag.as_ref())).is_ok());
    });
}

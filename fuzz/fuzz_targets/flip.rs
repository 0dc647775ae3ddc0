//! Verifies a signed delivery, and the same delivery with one flipped bit.
//!
//! The modified delivery must be rejected, unless the bit changes only the case of a hex digit.
//!
//! The input is the index of the bit, the timestamp, a length, a secret of that length, and the body.
#![no_main]

use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use scrupp_verify_core::{Secret, Signer, Tolerance, UnixTime, Verifier};

fuzz_target!(|input: &[u8]| {
    let Some((place, rest)) = input.split_first_chunk() else {
        return;
    };
    let Some((sent, rest)) = rest.split_first_chunk() else {
        return;
    };
    let Some((length, rest)) = rest.split_first() else {
        return;
    };
    let Some((key, body)) = rest.split_at_checked((*length).into()) else {
        return;
    };
    let sent = UnixTime::from_secs(u64::from_le_bytes(*sent));
    let Ok(secret) = Secret::new(key) else { return };

    let head = Signer::new(&secret).sign(sent, body);
    let always = Tolerance::new(Duration::MAX, Duration::MAX);
    let is_accepted = |key: &[u8], timestamp: &[u8], signature: &[u8], body: &[u8]| {
        let head = [
            ("X-Scrupp-Timestamp", timestamp),
            ("X-Scrupp-Signature", signature),
        ];
        Secret::new(key).is_ok_and(|secret| {
            let verifier = Verifier::new(secret).tolerance(always);
            verifier.verify(&head, body, sent).is_ok()
        })
    };
    let mut parts = [
        key.to_vec(),
        head.timestamp().as_bytes().to_vec(),
        head.signature().as_bytes().to_vec(),
        body.to_vec(),
    ];
    let [key, timestamp, signature, body] = &parts;
    // A timestamp of 0 is rejected because it has a leading zero.
    assert_eq!(
        is_accepted(key, timestamp, signature, body),
        sent.as_secs() != 0
    );

    let bits = 8 * parts.iter().map(Vec::len).sum::<usize>();
    let mut bit = usize::from(u16::from_le_bytes(*place)) % bits;
    for part in &mut parts {
        if bit < 8 * part.len() {
            part[bit / 8] ^= 1 << (bit % 8);
            break;
        }
        bit -= 8 * part.len();
    }
    let [key, timestamp, signature, body] = &parts;
    let same_signature = signature.eq_ignore_ascii_case(head.signature().as_bytes())
        && signature != head.signature().as_bytes();
    let is_case_only = same_signature && signature.starts_with(b"sha256=");
    assert_eq!(
        is_accepted(key, timestamp, signature, body),
        is_case_only && sent.as_secs() != 0
    );
});

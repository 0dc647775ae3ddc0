//! Verifies a body at once and in chunks. Both results must be equal, and a genuine delivery must be accepted.
//!
//! The input is one byte of choices, eight chunk sizes that are used in turn, and the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scrupp_verify_core::{Keyring, RejectionKind, Secret, Signer, UnixTime, Verified, Verifier};

const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);
const BODY_LIMIT: usize = 2000;
const SECRETS: [&str; 4] = ["sk_live_51H", "x", "y", "z"];

fuzz_target!(|input: &[u8]| {
    let Some((&[choice, ref sizes @ ..], body)) = input.split_first_chunk::<9>() else {
        return;
    };
    let held = usize::from(choice % 4) + 1;
    let signer = usize::from(choice / 4 % 4);
    let is_tampered = choice / 16 % 2 == 1;

    let secret = |text: &&str| Secret::new(text).unwrap();
    let mut signed = body.to_vec();
    if is_tampered {
        signed.push(b' ');
    }
    let head = Signer::new(&secret(&SECRETS[signer])).sign(NOW, &signed);
    let keyring = Keyring::new(SECRETS[..held].iter().map(secret)).unwrap();
    let verifier = Verifier::new(keyring).body_limit(BODY_LIMIT);

    let one_shot = verifier
        .verify(&head, body, NOW)
        .map(|delivery| *delivery.verified())
        .map_err(|rejection| rejection.kind());
    let expected = if body.len() > BODY_LIMIT {
        Err(RejectionKind::BodyTooLarge)
    } else if is_tampered || signer >= held {
        Err(RejectionKind::SignatureMismatch)
    } else {
        Ok(signer)
    };
    assert_eq!(one_shot.map(|verified| verified.secret_index()), expected);
    assert_eq!(in_chunks(&verifier, &head, body, sizes), one_shot);
});

fn in_chunks(
    verifier: &Verifier,
    head: &scrupp_verify_core::SignedHeaders,
    body: &[u8],
    sizes: &[u8],
) -> Result<Verified, RejectionKind> {
    let mut delivery = verifier
        .begin(head, NOW)
        .map_err(|rejection| rejection.kind())?;
    let mut rest = body;
    let mut verdict = Ok(());
    // If all sizes are 0, sends eight empty chunks, and then the body in one chunk.
    let is_endless = sizes.iter().all(|size| *size == 0);
    for size in sizes
        .iter()
        .cycle()
        .take(if is_endless { 8 } else { usize::MAX })
    {
        let (chunk, behind) = rest.split_at(rest.len().min((*size).into()));
        verdict = verdict.and(delivery.update(chunk));
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    verdict = verdict.and(delivery.update(rest));
    let finished = delivery.finish();
    // After a rejected chunk, `finish` must also reject.
    assert!(verdict.is_ok() || finished.is_err());
    verdict.and(finished).map_err(|rejection| rejection.kind())
}

//! Properties of verification with arbitrary deliveries.
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use proptest::{collection::vec, prelude::*, sample::Index};
use scrupp_verify_core::{RejectionKind, Secret, Signer, Tolerance, UnixTime, Verified, Verifier};

fn secrets() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..100).prop_filter("valid secret", |secret| Secret::new(secret).is_ok())
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..600)
}

/// Verifies the body in chunks that end at `cuts`.
fn verify_streaming(
    verifier: &Verifier,
    head: &[(&str, &[u8])],
    body: &[u8],
    cuts: &[Index],
    now: UnixTime,
) -> Result<Verified, RejectionKind> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(body.len());
    let mut delivery = verifier
        .begin(head, now)
        .map_err(|rejection| rejection.kind())?;
    let mut from = 0;
    for to in cuts {
        let chunk = &body[core::mem::replace(&mut from, to)..to];
        delivery
            .update(chunk)
            .map_err(|rejection| rejection.kind())?;
    }
    delivery.finish().map_err(|rejection| rejection.kind())
}

proptest! {
    #[test]
    fn accepts_signed_deliveries_in_any_chunks(
        secret in secrets(),
        body in bodies(),
        sent in 1..=u64::MAX,
        age in 0_u64..=300,
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let secret = Secret::new(secret).unwrap();
        let signed = Signer::new(&secret).sign(UnixTime::from_secs(sent), &body);
        let verifier = Verifier::new(secret);
        let now = UnixTime::from_secs(sent.saturating_add(age));

        let verified = verifier.verify(&signed, &body, now).map(|delivery| *delivery.verified());
        prop_assert!(verified.is_ok());
        let head = signed.pairs().map(|(name, value)| (name, value.as_bytes()));
        prop_assert_eq!(
            verify_streaming(&verifier, &head, &body, &cuts, now),
            verified.map_err(|rejection| rejection.kind())
        );
    }

    #[test]
    fn rejects_deliveries_with_one_flipped_bit(
        secret in secrets(),
        body in bodies(),
        sent in 1..=u64::MAX,
        part in 0_usize..4,
        place in any::<Index>(),
        bit in 0..8,
        cuts in vec(any::<Index>(), 0..4),
    ) {
        let signed = Signer::new(&Secret::new(&secret).unwrap()).sign(UnixTime::from_secs(sent), &body);
        let mut parts = [
            secret.clone(),
            body.clone(),
            signed.timestamp().as_bytes().to_vec(),
            signed.signature().as_bytes().to_vec(),
        ];
        let part = &mut parts[part];
        prop_assume!(!part.is_empty());
        let place = place.index(part.len());
        part[place] ^= 1_u8 << bit;
        // The case of a hex digit is not part of the signature.
        let original = signed.signature().as_bytes();
        prop_assume!(parts[3] == original || !parts[3].eq_ignore_ascii_case(original));

        let [changed_secret, changed_body, timestamp, signature] = &parts;
        let Ok(changed_secret) = Secret::new(changed_secret) else {
            return Ok(());
        };
        let everything = Tolerance::new(core::time::Duration::MAX, core::time::Duration::MAX);
        let verifier = Verifier::new(changed_secret).tolerance(everything);
        let head = [
            ("x-scrupp-signature", &signature[..]),
            ("x-scrupp-timestamp", &timestamp[..]),
        ];
        let now = UnixTime::from_secs(sent);
        let one_shot = verifier.verify(&head[..], changed_body, now);
        let one_shot = one_shot.map(|delivery| *delivery.verified()).map_err(|rejection| rejection.kind());
        prop_assert!(one_shot.is_err());
        prop_assert_eq!(verify_streaming(&verifier, &head, changed_body, &cuts, now), one_shot);
    }

    #[test]
    fn does_not_panic_on_arbitrary_headers(
        signature in vec(any::<u8>(), 0..90),
        timestamp in vec(any::<u8>(), 0..30),
        length in vec(any::<u8>(), 0..30),
        now in any::<u64>(),
    ) {
        let verifier = Verifier::new(Secret::new("topsecret").unwrap());
        let head = [
            ("x-scrupp-signature", signature),
            ("x-scrupp-timestamp", timestamp),
            ("content-length", length),
        ];
        let verdict = verifier.verify(&head, b"{}", UnixTime::from_secs(now));
        prop_assert!(verdict.is_err());
    }
}

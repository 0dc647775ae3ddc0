//! Does a branch or an index depend on the secret, or on the tag that a candidate is compared
//! with?
//!
//! Run by `scripts/check-constant-time` under Memcheck, in a dev and in a release build. The
//! secret counts as undefined, and so does everything computed from it: the prepared key, the states of
//! the hash, the tag, the outcome of each comparison. Nothing is declassified on the way, so the
//! one thing that may be reported is the verdict itself, a single branch at the end: each
//! verification must add exactly one report. The script looks at where these reports come from.
//!
//! With `--leaky` it is the comparison in `leaky` that is looked at.

use std::process::ExitCode;

use scrupp_verify_constant_time::{
    leaky::LeakyDelivery,
    memcheck::{is_there, make_defined, make_undefined, reports, undefined_bytes},
};
use scrupp_verify_core::{
    Keyring, Rejection, RejectionKind, Headers, Secret, Signer, UnixTime, Verified, Verifier,
};

const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);

/// At least so many bytes of a prepared secret depend on the secret: two states of SHA-256. Some
/// others are not initialized.
const KEY_BYTES: usize = 64;

/// Shorter than a block of the hash, as long, longer, and a short one again.
const SECRETS: [&str; 4] = [
    "sk_live_51H",
    "0123456789012345678901234567890123456789012345678901234567890123",
    "a secret that is longer than a block of the hash is hashed itself before it is used",
    "xyz",
];

fn main() -> ExitCode {
    if !is_there() {
        eprintln!("this is to be run under Valgrind");
        return ExitCode::from(2);
    }
    let found = match std::env::args().nth(1).as_deref() {
        Some("--leaky") => leaky(),
        _ => preparation() + verification(),
    };
    if found > 0 {
        println!("{found} of the cases show more, or something else, than a verdict");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Of the secret itself the first and the last byte are looked at, for whitespace; the others
/// are not.
fn preparation() -> usize {
    let is_off = |text: &&&str| {
        let before = reports();
        let secret = undefined(text);
        let seen = reports() - before;
        let prepared = undefined_bytes(&secret) >= KEY_BYTES + undefined_bytes(&known(text));
        println!(
            "a secret of {} bytes is prepared: {seen} reports",
            text.len()
        );
        seen != 0 || !prepared
    };
    SECRETS.iter().filter(is_off).count()
}

fn verification() -> usize {
    let mut off = 0;
    for held in 1..=SECRETS.len() {
        for body_bytes in [0, 1, 44, 45, 52, 53, 64, 200, 1000] {
            let body = vec![b' '; body_bytes];
            for signer in 0..held {
                off += accepted(held, signer, &body);
            }
            off += rejected(held, &body);
        }
    }
    println!(
        "1 to {} secrets, each accepted, and rejected by 33 differences: {off} cases are off",
        SECRETS.len()
    );
    off
}

fn accepted(held: usize, signer: usize, body: &[u8]) -> usize {
    let signed = sign(SECRETS[signer], body);
    [1, 7, 64, usize::MAX]
        .into_iter()
        .filter(|chunk_bytes| {
            let (verdict, seen) = verify(held, &signed, body, *chunk_bytes);
            let verdict = verdict.map(|verified| verified.secret_index());
            seen != 1 || verdict != Ok(signer)
        })
        .count()
}

/// One candidate for each byte that differs, and one that has nothing to do with the tag.
fn rejected(held: usize, body: &[u8]) -> usize {
    let tag_of = |secret| sign(secret, body)[0].1.clone();
    let flipped = (0..32).map(|byte| {
        let mut signature = tag_of(SECRETS[0]).into_bytes();
        let digit = &mut signature["sha256=".len() + 2 * byte];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
        String::from_utf8_lossy(&signature).into_owned()
    });
    flipped
        .chain([tag_of("another secret")])
        .filter(|signature| {
            let [_, timestamp] = sign(SECRETS[0], body);
            let head = [("x-scrupp-signature", signature.clone()), timestamp];
            let (verdict, seen) = verify(held, &head, body, usize::MAX);
            let kind = verdict.map_err(|rejection| rejection.kind());
            seen != 1 || kind != Err(RejectionKind::SignatureMismatch)
        })
        .count()
}

fn sign(secret: &str, body: &[u8]) -> [(&'static str, String); 2] {
    let signed = Signer::new(&known(secret)).sign(NOW, body);
    signed.pairs().map(|(name, value)| (name, value.to_owned()))
}

/// The verdict, with the number of reports until it was there. There is one only if the tags that
/// are compared count as undefined.
fn verify(
    held: usize,
    head: &impl Headers,
    body: &[u8],
    chunk_bytes: usize,
) -> (Result<Verified, Rejection>, usize) {
    let secrets = SECRETS.iter().take(held).map(|text| undefined(text));
    let keyring = Keyring::new(secrets).expect("1 to 4 secrets");
    let verifier = Verifier::new(keyring);

    let before = reports();
    let mut verdict = if chunk_bytes == usize::MAX {
        let delivery = verifier.verify(head, body, NOW);
        delivery.map(|delivery| *delivery.verified())
    } else {
        let mut delivery = verifier.begin(head, NOW).expect("a good head");
        for chunk in body.chunks(chunk_bytes) {
            delivery.update(chunk).expect("a short body");
        }
        delivery.finish()
    };
    let seen = reports() - before;
    make_defined(&mut verdict);
    (verdict, seen)
}

/// A secret whose bytes count as undefined, all but the first and the last.
fn undefined(secret: &str) -> Secret {
    let mut bytes = secret.as_bytes().to_vec();
    if let [_, inner @ .., _] = &mut bytes[..] {
        make_undefined(inner);
    }
    Secret::new(&bytes).expect("a secret without space around it")
}

fn known(secret: &str) -> Secret {
    Secret::new(secret).expect("a secret without space around it")
}

fn leaky() -> usize {
    let [(_, signature), _] = sign(SECRETS[0], b"{}");
    let mut tag = [0; 32];
    for (byte, digits) in tag.iter_mut().zip(signature.as_bytes()[7..].chunks(2)) {
        let digits = str::from_utf8(digits).expect("hex digits");
        *byte = u8::from_str_radix(digits, 16).expect("hex digits");
    }
    let mut last_differs = tag;
    last_differs[31] ^= 1;
    let cases = [("accepted", tag, true), ("rejected", last_differs, false)];
    let is_off = |(label, candidate, expected): &(&str, [u8; 32], bool)| {
        let mut key = SECRETS[0].as_bytes().to_vec();
        make_undefined(&mut key[..]);
        let before = reports();
        let delivery = LeakyDelivery::new(&key, b"1735471800.{}", *candidate);
        let mut verdict = delivery.finish();
        let seen = reports() - before;
        make_defined(&mut verdict);
        println!("{label} by the leaky comparison: {seen} reports");
        seen != 1 || verdict != *expected
    };
    cases.iter().filter(|case| is_off(case)).count()
}

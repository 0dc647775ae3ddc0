//! Checks that no branch and no index depends on the secret or the expected tag.
//!
//! `scripts/check-constant-time` runs this program under Memcheck, in a dev and in a release build.
//! The secret is marked as undefined. Memcheck propagates the mark to the prepared key, the states
//! of the hash, the tag and the outcome of each comparison. Nothing is declassified before the
//! verdict, so only the branch on the verdict may be reported. Each verification must add exactly
//! one report. The script checks which line the reports come from.
//!
//! With `--leaky`, the program runs the comparison in `leaky` instead.

use std::process::ExitCode;

use scrupp_verify_constant_time::{
    leaky::LeakyDelivery,
    memcheck::{is_running, make_defined, make_undefined, reports, undefined_bytes},
};
use scrupp_verify_core::{
    Headers, Keyring, Rejection, RejectionKind, Secret, Signer, UnixTime, Verified, Verifier,
};

const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);

/// Minimum number of bytes of a prepared secret that depend on the secret: two states of SHA-256.
/// Other bytes are not initialized.
const KEY_BYTES: usize = 64;

/// Secrets that are shorter than a block of the hash, exactly one block long, longer, and shorter
/// again.
const SECRETS: [&str; 4] = [
    "sk_live_51H",
    "0123456789012345678901234567890123456789012345678901234567890123",
    "a secret that is longer than a block of the hash is hashed itself before it is used",
    "xyz",
];

fn main() -> ExitCode {
    if !is_running() {
        eprintln!("this program must run under Valgrind");
        return ExitCode::from(2);
    }
    let found = match std::env::args().nth(1).as_deref() {
        Some("--leaky") => leaky(),
        _ => preparation() + verification(),
    };
    if found > 0 {
        println!("{found} cases have unexpected reports or verdicts");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Prepares secrets. `Secret::new` reads the first and the last byte of a secret to reject
/// whitespace, and no other byte.
fn preparation() -> usize {
    let is_off = |text: &&&str| {
        let before = reports();
        let secret = undefined(text);
        let seen = reports() - before;
        let prepared = undefined_bytes(&secret) >= KEY_BYTES + undefined_bytes(&known(text));
        println!("preparing a secret of {} bytes: {seen} reports", text.len());
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
        "verifying with 1 to {} secrets, valid and invalid tags: {off} cases differ",
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

/// Verifies 32 tags, each with a different changed byte, and the tag of another secret.
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

/// Returns the verdict, and the number of reports up to the verdict. The number is zero if the
/// compared tags are not marked as undefined.
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
        let mut delivery = verifier.begin(head, NOW).expect("valid headers");
        for chunk in body.chunks(chunk_bytes) {
            delivery.update(chunk).expect("a body within the limit");
        }
        delivery.finish()
    };
    let seen = reports() - before;
    make_defined(&mut verdict);
    (verdict, seen)
}

/// Returns a secret whose bytes are marked as undefined, except the first and the last.
fn undefined(secret: &str) -> Secret {
    let mut bytes = secret.as_bytes().to_vec();
    if let [_, inner @ .., _] = &mut bytes[..] {
        make_undefined(inner);
    }
    Secret::new(&bytes).expect("a valid secret")
}

fn known(secret: &str) -> Secret {
    Secret::new(secret).expect("a valid secret")
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

//! A sender and a receiver without the standard library and without an allocator.
//!
//! Exits with 0 if every check passes, and otherwise with the number of the check that failed.
//! `scripts/check-no-std` builds and runs the program, and inspects the linked binary.

#![no_std]
#![no_main]

use core::{ffi::c_int, hint::black_box, panic::PanicInfo};

#[cfg(feature = "pull-in-alloc")]
use pulls_in_alloc as _;
#[cfg(feature = "pull-in-std")]
use pulls_in_std as _;
use scrupp_verify_core::{
    Account, ConfigError, Delivery, Headers, Keyring, Policy, Rejection, RejectionKind, Secret,
    Signer, UnixTime, Verified, Verifier,
};

const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);

const BODY: &[u8] = br#"{"event":"task.completed","process_id":6666,"status":"completed",
 "result_url":"https://api.scrupp.com/api/v1/task/6666/data",
 "meta":{"endpoint":"/company/linkedin","external_id":"row_9481","source":"zapier"}}"#;

const TAMPERED: &[u8] = br#"{"event":"task.completed","process_id":6667,"status":"completed",
 "result_url":"https://api.scrupp.com/api/v1/task/6667/data",
 "meta":{"endpoint":"/company/linkedin","external_id":"row_9481","source":"zapier"}}"#;

// The C library starts the process, and provides functions that compiled code calls (`memcpy`).
#[expect(unsafe_code, reason = "declares a function of the C library")]
#[link(name = "c")]
unsafe extern "C" {
    safe fn abort() -> !;
    #[cfg(feature = "call-malloc")]
    safe fn malloc(bytes: usize) -> *mut u8;
}

#[expect(unsafe_code, reason = "the C library calls `main` by this name")]
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    #[cfg(feature = "call-malloc")]
    black_box(malloc(black_box(1)));
    #[cfg(feature = "reach-a-panic")]
    assert!(black_box(true), "reached");

    let (Ok(current), Ok(previous), Ok(other)) =
        (secret("sk_new"), secret("sk_old"), secret("sk_other"))
    else {
        return 1;
    };
    let signer = Signer::new(&previous);
    let headers = signer.sign(black_box(NOW), black_box(BODY));
    let head = headers.pairs();
    let Ok(keyring) = Keyring::new([current, previous]) else {
        return 2;
    };
    let verifier = Verifier::new(keyring.clone());
    let of_other = Verifier::new(other);

    let checks = [
        secret("").err() == Some(ConfigError::EmptySecret),
        // In one chunk, and in chunks of every size up to a block and one byte.
        matched_previous(verify(&verifier, &head, BODY)),
        (1..=65).all(|size| matched_previous(stream(verifier.begin(&head, NOW), BODY, size))),
        // With an account lookup between the headers and the body.
        matched_previous(stream(looked_up(&head, keyring), BODY, 7)),
        rejected(verify(&verifier, &head, TAMPERED)),
        rejected(stream(verifier.begin(&head, NOW), TAMPERED, 7)),
        rejected(verify(&of_other, &head, BODY)),
        kind(unknown(&head)) == Some(RejectionKind::UnknownAccount),
        kind(verifier.verify(&head, BODY, later(301))) == Some(RejectionKind::TooOld),
        kind(verifier.begin(&signature_only(head), NOW)) == Some(RejectionKind::MissingTimestamp),
    ];
    (3..)
        .zip(checks)
        .find_map(|(number, holds)| (!holds).then_some(number))
        .unwrap_or(0)
}

/// Creates a secret at run time, so that the compiler cannot evaluate the checks.
fn secret(text: &str) -> Result<Secret, ConfigError> {
    Secret::new(black_box(text))
}

fn later(secs: u64) -> UnixTime {
    UnixTime::from_secs(NOW.as_secs().wrapping_add(secs))
}

fn verify(verifier: &Verifier, head: &impl Headers, body: &[u8]) -> Result<Verified, Rejection> {
    let delivery = verifier.verify(head, body, NOW)?;
    Ok(*delivery.verified())
}

fn stream(
    delivery: Result<Delivery, Rejection>,
    body: &[u8],
    chunk_bytes: usize,
) -> Result<Verified, Rejection> {
    let mut delivery = delivery?;
    let mut body = black_box(body);
    while let Some((chunk, rest)) = body.split_at_checked(chunk_bytes) {
        delivery.update(chunk)?;
        body = rest;
    }
    delivery.update(body)?;
    delivery.finish()
}

fn looked_up(head: &impl Headers, keyring: Keyring) -> Result<Delivery, Rejection> {
    let unverified = Policy::default().check_head(head, NOW)?;
    Ok(unverified.begin(Account::new("customer-17", keyring).keyring()))
}

fn unknown(head: &impl Headers) -> Result<Verified, Rejection> {
    let delivery = Policy::default()
        .check_head(head, NOW)
        .map(|unverified| unverified.begin(&Keyring::of_unknown_account()));
    stream(delivery, BODY, BODY.len())
}

fn signature_only<'a>([signature, _]: [(&'a str, &'a str); 2]) -> [(&'a str, &'a str); 1] {
    [signature]
}

fn matched_previous(verdict: Result<Verified, Rejection>) -> bool {
    verdict.is_ok_and(|verified| verified.time() == NOW && verified.secret_index() == 1)
}

fn kind<T>(verdict: Result<T, Rejection>) -> Option<RejectionKind> {
    verdict.err().map(|rejection| rejection.kind())
}

fn rejected(verdict: Result<Verified, Rejection>) -> bool {
    kind(verdict) == Some(RejectionKind::SignatureMismatch)
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    abort()
}

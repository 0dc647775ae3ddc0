//! What users of the crate can rely on: every edge of the rules of verification, from outside.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it is surprised"
)]
#![expect(clippy::type_complexity, reason = "a table names its columns once")]

mod account;
mod body;
mod head;
mod keyring;
mod openssl;
mod properties;
mod secrecy;
mod signature;
mod signer;
mod time;
mod timestamp;
mod types;

use core::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use scrupp_verify_core::{
    Rejection, RejectionKind, RequestHead, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER, UnixTime,
    Verified, Verifier,
};

const SECRET: &str = "topsecret";
const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);
const BODY: &[u8] = br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

type Head = Vec<(&'static str, Vec<u8>)>;

fn secret(text: impl AsRef<[u8]>) -> Secret {
    Secret::new(text).unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(secret(SECRET))
}

/// The tag by another implementation, which takes any timestamp: a row of a table is then refused
/// for what its label says, not since nobody signed it.
fn tag(secret: &[u8], timestamp: &[u8], body: &[u8]) -> [u8; 32] {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
    let signed = mac
        .chain_update(timestamp)
        .chain_update(b".")
        .chain_update(body);
    signed.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn signature(secret: &[u8], timestamp: &[u8], body: &[u8]) -> String {
    format!("sha256={}", hex(&tag(secret, timestamp, body)))
}

/// Both headers for `BODY`, signed with `SECRET`.
fn head(timestamp: impl AsRef<[u8]>) -> Head {
    head_for(timestamp, BODY)
}

fn head_for(timestamp: impl AsRef<[u8]>, body: &[u8]) -> Head {
    let timestamp = timestamp.as_ref();
    let signature = signature(SECRET.as_bytes(), timestamp, body);
    vec![
        (TIMESTAMP_HEADER, timestamp.to_vec()),
        (SIGNATURE_HEADER, signature.into_bytes()),
    ]
}

/// The verdict, asked for in one piece and byte for byte.
#[track_caller]
fn judge<H>(
    verifier: &Verifier,
    head: &H,
    body: &[u8],
    now: UnixTime,
) -> Result<Verified, Rejection>
where
    H: RequestHead + ?Sized,
{
    let at_once = verifier.verify(head, body, now);
    assert_eq!(stream(verifier, head, body.chunks(1), now), at_once);
    at_once
}

fn stream<'a, H>(
    verifier: &Verifier,
    head: &H,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    now: UnixTime,
) -> Result<Verified, Rejection>
where
    H: RequestHead + ?Sized,
{
    let mut delivery = verifier.begin(head, now)?;
    for chunk in chunks {
        delivery.update(chunk)?;
    }
    delivery.finish()
}

/// Why it is refused; `None` where it is accepted.
#[track_caller]
fn refusal<H>(verifier: &Verifier, head: &H, body: &[u8], now: UnixTime) -> Option<RejectionKind>
where
    H: RequestHead + ?Sized,
{
    judge(verifier, head, body, now)
        .err()
        .map(|rejection| rejection.kind())
}

/// Why the head alone is refused.
fn refusal_of_head<H>(verifier: &Verifier, head: &H, now: UnixTime) -> Option<RejectionKind>
where
    H: RequestHead + ?Sized,
{
    verifier
        .begin(head, now)
        .err()
        .map(|rejection| rejection.kind())
}

//! Deliveries that are signed when the benchmark starts, so that they pass with the system clock.

use core::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};
use scrupp_verify_core::{
    Headers, SIGNATURE_HEADER, Secret, SignedHeaders, Signer, TIMESTAMP_HEADER, UnixTime,
};

/// The secret of all benchmarks; as long as an API key usually is.
pub const SECRET: &str = "sk_live_51HbenchmarksOnlyNoAccount00";

/// The body of the figures over HTTP: a documented event with its `meta`.
pub const EVENT_BYTES: usize = 216;

/// An event of exactly this many bytes, as ASCII, which every peer takes.
#[must_use]
pub fn body(bytes: usize) -> Vec<u8> {
    let start =
        r#"{"event":"task.completed","process_id":6666,"status":"completed","meta":{"id":""#;
    let end = r#""}}"#;
    let mut body = String::from(start);
    for _ in start.len() + end.len()..bytes {
        body.push('x');
    }
    body.push_str(end);
    body.into_bytes()
}

/// The secret, prepared.
///
/// # Panics
///
/// Not with the constant secret.
#[must_use]
pub fn secret() -> Secret {
    Secret::new(SECRET).expect("the secret is neither empty nor padded")
}

/// Signed as Scrupp does, now.
///
/// # Panics
///
/// Where the system clock stands before 1970.
#[must_use]
pub fn sign(body: &[u8]) -> SignedHeaders {
    sign_at(UnixTime::now().expect("the clock works"), body)
}

/// Signed as Scrupp does, at this time.
#[must_use]
pub fn sign_at(time: UnixTime, body: &[u8]) -> SignedHeaders {
    Signer::new(&secret()).sign(time, body)
}

/// What an HTTP client sends along with every delivery.
#[must_use]
pub fn http_headers(signed: &SignedHeaders, body_bytes: usize) -> HeaderMap {
    let mut length = String::new();
    let _ = write!(length, "{body_bytes}");
    let pairs = [
        ("host", "127.0.0.1"),
        ("content-type", "application/json"),
        ("content-length", length.as_str()),
        ("user-agent", "scrupp/1"),
        (SIGNATURE_HEADER, signed.signature()),
        (TIMESTAMP_HEADER, signed.timestamp()),
    ];
    pairs.into_iter().filter_map(header).collect()
}

/// A header of valid characters.
#[must_use]
pub fn header((name, value): (&'static str, &str)) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(value).ok()?;
    Some((HeaderName::from_static(name), value))
}

/// The headers of a request, as the core sees them: as the tower layer does it.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a view of what it holds")]
pub struct HttpHead<'h>(pub &'h HeaderMap);

impl Headers for HttpHead<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let headers = self.0.iter();
        headers.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
    }
}

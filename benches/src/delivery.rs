//! Deliveries that are signed when the benchmark starts, so that their timestamps are fresh.

use core::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};
use scrupp_verify_core::{
    Headers, SIGNATURE_HEADER, Secret, SignedHeaders, Signer, TIMESTAMP_HEADER, UnixTime,
};

/// Secret of all benchmarks, with the length of a typical API key.
pub const SECRET: &str = "sk_live_51HbenchmarksOnlyNoAccount00";

/// Size of the body in the benchmarks over HTTP: that of a documented event with `meta`.
pub const EVENT_BYTES: usize = 216;

/// Returns an ASCII event of exactly this many bytes.
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

/// Returns the prepared secret.
///
/// # Panics
///
/// Never panics, because the constant secret is valid.
#[must_use]
pub fn secret() -> Secret {
    Secret::new(SECRET).expect("the secret is neither empty nor padded")
}

/// Signs a body with the current time, as Scrupp does.
///
/// # Panics
///
/// Panics if the system clock is before 1970.
#[must_use]
pub fn sign(body: &[u8]) -> SignedHeaders {
    sign_at(UnixTime::now().expect("the clock works"), body)
}

/// Signs a body with a timestamp, as Scrupp does.
#[must_use]
pub fn sign_at(time: UnixTime, body: &[u8]) -> SignedHeaders {
    Signer::new(&secret()).sign(time, body)
}

/// Returns the headers of a signed delivery, including those that an HTTP client adds.
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

/// Converts a header. Returns `None` if the value is invalid.
#[must_use]
pub fn header((name, value): (&'static str, &str)) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(value).ok()?;
    Some((HeaderName::from_static(name), value))
}

/// Headers of a request, as in the tower layer.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a view of the map")]
pub struct HttpHead<'h>(pub &'h HeaderMap);

impl Headers for HttpHead<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let headers = self.0.iter();
        headers.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
    }
}

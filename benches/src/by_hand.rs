//! A hand-written check with `hmac` and `hex`, and the constant-time comparison of `hmac`.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;

/// Returns true if a delivery is genuine and its timestamp is within 300 s of the current time.
#[must_use]
pub fn verify(secret: &[u8], headers: &HeaderMap, body: &[u8]) -> bool {
    let Some(timestamp) = text(headers, "x-scrupp-timestamp") else {
        return false;
    };
    let Some(signature) = text(headers, "x-scrupp-signature") else {
        return false;
    };
    if age(timestamp).is_none_or(|age| age > 300) {
        return false;
    }
    let Some(digits) = signature.strip_prefix("sha256=") else {
        return false;
    };
    let Ok(signature) = hex::decode(digits) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return false;
    };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}

/// Returns the difference between a timestamp and the current time, in seconds.
#[must_use]
pub fn age(timestamp: &str) -> Option<u64> {
    let sent = timestamp.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(now.as_secs().abs_diff(sent))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

//! A WebAssembly module that verifies Scrupp's webhooks, for hosts such as Cloudflare Workers, Fastly
//! Compute and Spin.
//!
//! The module imports no functions, so any host can run it. The host reads the request and the clock, and
//! calls the four functions below. `receiver.mjs` does so in JavaScript.
//!
//! Build with Rust, then test with Node 20:
//!
//! ```sh
//! rustup target add wasm32-unknown-unknown
//! cargo build --release -p example-workers --target wasm32-unknown-unknown
//! node examples/workers/check.mjs target/wasm32-unknown-unknown/release/example_workers.wasm
//! ```
//!
//! A host that is written in Rust does not need these functions. Call [`Policy::check_head`] with the
//! headers of a request, and [`Verifier::verify`] with the body.
//!
//! # Security
//!
//! Before the event is handled, claim the id of the delivery in a store that all instances share, such as a
//! Durable Object with the id as its name. Every attempt at a delivery has the same id. Without a store,
//! duplicates and replays are handled again.

use core::{cell::RefCell, iter};

use scrupp_verify_core::{
    Keyring, Policy, Rejection, RejectionKind, Secret, UnixTime, Verifier, dedup::DeliveryId,
};
use serde_json::{Value, json};

thread_local! {
    static RECEIVER: RefCell<Receiver> = RefCell::default();
}

/// Allocates the buffer, and returns its address. The host then writes the input of the next call to the
/// buffer.
#[expect(unsafe_code, reason = "the host calls the function by name")]
#[unsafe(no_mangle)]
pub extern "C" fn scrupp_buffer(bytes: usize) -> *mut u8 {
    RECEIVER.with_borrow_mut(|receiver| {
        receiver.buffer = vec![0; bytes];
        receiver.buffer.as_mut_ptr()
    })
}

/// Sets the secrets. The buffer contains the secrets, the current one first, each followed by a NUL byte.
///
/// Returns the address of JSON that ends with a NUL byte: `{"status":200}`, or
/// `{"status":500,"reason":"…"}` if the secrets are invalid.
#[expect(unsafe_code, reason = "the host calls the function by name")]
#[unsafe(no_mangle)]
pub extern "C" fn scrupp_configure() -> *const u8 {
    respond(Receiver::configure)
}

/// Checks the headers of a request before its body is read. `now` is the Unix time in milliseconds.
///
/// The buffer contains the headers. Each name and each value is followed by a NUL byte.
///
/// Returns the address of JSON that ends with a NUL byte. If the headers pass, the JSON is
/// `{"status":200}`. Otherwise the JSON is the response for the client, with a reason for the log:
/// `{"status":401,"headers":[["…","…"]],"body":"…","reason":"too_old"}`.
#[expect(unsafe_code, reason = "the host calls the function by name")]
#[unsafe(no_mangle)]
pub extern "C" fn scrupp_check(now: f64) -> *const u8 {
    respond(|receiver| receiver.check(now).unwrap_or_else(rejected))
}

/// Verifies a delivery. `now` is the Unix time in milliseconds.
///
/// The first `head_bytes` bytes of the buffer are the headers, in the format of [`scrupp_check`]. The
/// remaining bytes are the body.
///
/// Returns the address of JSON that ends with a NUL byte. If the delivery is verified, the JSON is
/// `{"status":200,"delivery_id":"…"}`. Otherwise the JSON is that of a rejection by [`scrupp_check`].
#[expect(unsafe_code, reason = "the host calls the function by name")]
#[unsafe(no_mangle)]
pub extern "C" fn scrupp_verify(head_bytes: usize, now: f64) -> *const u8 {
    respond(|receiver| receiver.verify(head_bytes, now).unwrap_or_else(rejected))
}

fn respond(call: impl FnOnce(&mut Receiver) -> Value) -> *const u8 {
    RECEIVER.with_borrow_mut(|receiver| {
        receiver.buffer = format!("{}\0", call(receiver)).into();
        receiver.buffer.as_ptr()
    })
}

fn rejected(rejection: Rejection) -> Value {
    json!({
        "status": rejection.status(),
        "headers": rejection.headers(),
        "body": rejection.problem(),
        "reason": rejection.kind().as_str(),
    })
}

#[derive(Default)]
struct Receiver {
    verifier: Option<Verifier>,
    buffer: Vec<u8>,
}

impl Receiver {
    fn configure(&mut self) -> Value {
        let secrets: Result<Vec<_>, _> = fields(&self.buffer).map(Secret::new).collect();
        match secrets.and_then(Keyring::new) {
            Ok(keyring) => {
                self.verifier = Some(Verifier::new(keyring));
                json!({ "status": 200 })
            }
            Err(error) => json!({ "status": 500, "reason": error.to_string() }),
        }
    }

    fn check(&self, now: f64) -> Result<Value, Rejection> {
        let checked = Policy::default().check_head(&*head(&self.buffer), time(now));
        checked.map(|_| json!({ "status": 200 }))
    }

    fn verify(&self, head_bytes: usize, now: f64) -> Result<Value, Rejection> {
        let (fields, body) = self.buffer.split_at(head_bytes.min(self.buffer.len()));
        let delivery = self.verifier()?.verify(&*head(fields), body, time(now))?;
        Ok(json!({ "status": 200, "delivery_id": DeliveryId::new(&delivery).to_string() }))
    }

    fn verifier(&self) -> Result<&Verifier, Rejection> {
        let verifier = self.verifier.as_ref();
        verifier.ok_or(RejectionKind::SecretsUnavailable.into())
    }
}

fn head(buffer: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut fields = fields(buffer);
    iter::from_fn(|| fields.next().zip(fields.next())).collect()
}

/// Splits a buffer at its NUL bytes. Ignores bytes after the last NUL.
fn fields(buffer: &[u8]) -> impl Iterator<Item = &[u8]> {
    let fields = buffer.split_inclusive(|byte| *byte == 0);
    fields.filter_map(|field| field.strip_suffix(b"\0"))
}

/// Converts milliseconds to Unix time. Converts `NaN` to 1970, so every delivery is rejected.
fn time(now: f64) -> UnixTime {
    UnixTime::from_secs((now / 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use scrupp_verify_core::Signer;

    use super::*;

    const NOW: f64 = 1_735_471_800_000.0;
    const BODY: &str = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

    fn receiver() -> Receiver {
        let mut receiver = Receiver {
            buffer: b"newsecret\0topsecret\0".to_vec(),
            verifier: None,
        };
        assert_eq!(receiver.configure(), json!({ "status": 200 }));
        receiver
    }

    fn signed() -> Vec<u8> {
        let secret = Secret::new("topsecret").unwrap();
        let headers = Signer::new(&secret).sign(time(NOW), BODY.as_bytes());
        let [signature, timestamp] = headers.pairs();
        let fields = [signature.0, signature.1, timestamp.0, timestamp.1, ""];
        fields.join("\0").into()
    }

    #[test]
    fn verifies_headers_and_then_the_delivery() {
        let mut receiver = receiver();
        receiver.buffer = signed();
        let head_bytes = receiver.buffer.len();
        assert_eq!(receiver.check(NOW), Ok(json!({ "status": 200 })));
        receiver.buffer.extend(BODY.bytes());
        let verified = receiver.verify(head_bytes, NOW).unwrap_or_else(rejected);
        assert_eq!(verified["status"], 200);
        assert_eq!(verified["delivery_id"].as_str().map(str::len), Some(32));

        receiver.buffer.push(b' ');
        let tampered = receiver.verify(head_bytes, NOW).unwrap_or_else(rejected);
        assert_eq!(tampered["reason"], "signature_mismatch");
    }

    #[test]
    fn rejects_old_future_and_truncated_headers() {
        let mut receiver = receiver();
        receiver.buffer = signed();
        for (now, reason) in [(NOW + 301_000.0, "too_old"), (f64::NAN, "in_future")] {
            let rejected = receiver.check(now).unwrap_or_else(rejected);
            assert_eq!(rejected["reason"], reason);
            assert_eq!(rejected["status"], 401);
        }
        receiver.buffer.pop();
        let truncated = receiver.check(NOW).unwrap_or_else(rejected);
        assert_eq!(truncated["reason"], "missing_timestamp");
    }

    #[test]
    fn rejects_every_delivery_without_secrets() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.configure()["status"], 500);
        receiver.buffer = signed();
        let head_bytes = receiver.buffer.len();
        let rejected = receiver.verify(head_bytes, NOW).unwrap_or_else(rejected);
        assert_eq!(rejected["status"], 503);
    }
}

use core::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use scrupp_verify_core::UnixTime;
use sha2::Sha256;

/// Headers of a delivery, in sending order.
pub type Headers = Vec<(&'static str, String)>;

/// Name of the header with the signature.
pub const SIGNATURE: &str = "X-Scrupp-Signature";
/// Name of the header with the timestamp.
pub const TIMESTAMP: &str = "X-Scrupp-Timestamp";

/// Settings for sending deliveries to a receiver.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "a sender needs every field")]
pub struct Recipient {
    /// Value of the `Host` header.
    pub host: String,
    /// Path and query of the URL.
    pub target: String,
    /// Secret that signs deliveries.
    pub secret: Vec<u8>,
    /// Older secret that the receiver also accepts, if any.
    pub previous_secret: Option<Vec<u8>>,
    /// Value of the `Content-Type` header, unless the delivery sets the header itself.
    pub content_type: Option<&'static str>,
    /// Field `meta` of each event, as JSON.
    pub meta: Option<&'static str>,
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipient")
            .field("host", &self.host)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// Delivery to send, genuine unless modified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delivery {
    /// Receiver of the delivery.
    pub recipient: Arc<Recipient>,
    /// Sending time, in Unix seconds.
    pub now: u64,
    /// Process id of the event.
    pub process_id: u64,
    /// Body.
    pub body: Vec<u8>,
    /// Headers, except those that frame the body.
    pub headers: Headers,
}

impl Delivery {
    /// Creates a delivery of a completed event, signed with the current time.
    #[must_use]
    pub fn new(recipient: &Arc<Recipient>, process_id: u64) -> Self {
        let meta = recipient.meta.map(|meta| format!(r#","meta":{meta}"#));
        let event = format!(
            r#"{{"event":"task.completed","process_id":{process_id},"status":"completed"{}}}"#,
            meta.unwrap_or_default()
        );
        let mut delivery = Self {
            recipient: Arc::clone(recipient),
            now: UnixTime::now().map_or(0, UnixTime::as_secs),
            process_id,
            body: event.into(),
            headers: Vec::new(),
        };
        delivery.sign();
        delivery
    }

    /// Signs the delivery again, after its body was changed.
    pub fn sign(&mut self) {
        self.sign_at(self.now);
    }

    /// Signs the delivery with another timestamp, in Unix seconds.
    pub fn sign_at(&mut self, secs: u64) {
        self.sign_with(self.recipient.secret.clone(), secs);
    }

    /// Signs the delivery with a secret that the receiver does not accept.
    pub fn forge(&mut self) {
        let Recipient {
            secret,
            previous_secret,
            ..
        } = &*self.recipient;
        let both = [
            secret.as_slice(),
            b".",
            previous_secret.as_deref().unwrap_or_default(),
        ];
        self.sign_with(both.concat(), self.now);
    }

    /// Signs the delivery with a secret and a timestamp in Unix seconds. Replaces all headers.
    pub fn sign_with(&mut self, secret: impl AsRef<[u8]>, secs: u64) {
        let time = secs.to_string();
        let signature = tag(secret.as_ref(), &[time.as_bytes(), b".", &self.body]);
        self.headers = vec![(TIMESTAMP, time), (SIGNATURE, signature)];
    }

    /// Signs the concatenated parts instead of the content that Scrupp signs.
    pub fn sign_content(&mut self, parts: &[&[u8]]) {
        let signature = tag(&self.recipient.secret, parts);
        self.set(SIGNATURE, &signature);
    }

    /// Pads the body with spaces to this length, and signs the delivery.
    pub fn pad_to(&mut self, bytes: usize) {
        self.body.resize(bytes, b' ');
        self.sign();
    }

    /// Returns the value of a header, or an empty string if the header is missing.
    #[must_use]
    pub fn value(&self, name: &str) -> String {
        let header = self.headers.iter().find(|header| header.0 == name);
        header.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// Sets a header, replacing all its values.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.remove(name);
        self.headers.push((name, value.to_owned()));
    }

    /// Removes a header.
    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|header| header.0 != name);
    }

    /// Returns the head of an HTTP/1.1 request. `framing` is the header that frames the body.
    #[must_use]
    pub fn head(&self, framing: &str) -> Vec<u8> {
        let Recipient { host, target, .. } = &*self.recipient;
        let mut head = format!("POST {target} HTTP/1.1\r\nHost: {host}\r\n{framing}\r\n");
        let has_own = self.headers.iter().any(|(name, _)| *name == "Content-Type");
        if let (Some(content_type), false) = (self.recipient.content_type, has_own) {
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into()
    }

    /// Returns the head of an HTTP/1.1 request with `Content-Length`.
    #[must_use]
    pub fn head_with_length(&self) -> Vec<u8> {
        self.head(&format!("Content-Length: {}", self.body.len()))
    }

    /// Returns the HTTP/1.1 request with `Content-Length`.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        [self.head_with_length(), self.body.clone()].concat()
    }

    /// Returns the HTTP/1.1 request with the body in chunks of this size.
    #[must_use]
    pub fn chunked(&self, chunk_bytes: usize) -> Vec<u8> {
        let mut request = self.head("Transfer-Encoding: chunked");
        for chunk in self.body.chunks(chunk_bytes) {
            request.extend(format!("{:x}\r\n", chunk.len()).bytes());
            request.extend_from_slice(chunk);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        request
    }
}

/// Returns the header value of a signature over the concatenated parts.
fn tag(secret: &[u8], parts: &[&[u8]]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return String::new();
    };
    parts.iter().for_each(|part| mac.update(part));
    let tag = mac.finalize().into_bytes();
    tag.iter().fold("sha256=".to_owned(), |text, byte| {
        format!("{text}{byte:02x}")
    })
}

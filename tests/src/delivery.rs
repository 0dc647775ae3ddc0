use scrupp_verify_core::{Secret, SignedHeaders, Signer, UnixTime};

use crate::SECRET;

/// The headers of a delivery, before anything is done to them.
pub type Headers = Vec<(&'static str, String)>;

pub(crate) const SIGNATURE: &str = "X-Scrupp-Signature";
pub(crate) const TIMESTAMP: &str = "X-Scrupp-Timestamp";

/// A delivery that is genuine until something is done to it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// When it is sent, in Unix seconds.
    pub now: u64,
    /// The task that it is about.
    pub process_id: u64,
    /// The body.
    pub body: Vec<u8>,
    /// The headers that count.
    pub headers: Headers,
}

impl Delivery {
    /// A delivery about this task, signed now.
    #[must_use]
    pub fn new(process_id: u64) -> Self {
        let event = format!(
            r#"{{"event":"task.completed","process_id":{process_id},"status":"completed"}}"#
        );
        let mut delivery = Self {
            now: UnixTime::now().map_or(0, UnixTime::as_secs),
            process_id,
            body: event.into(),
            headers: Vec::new(),
        };
        delivery.sign();
        delivery
    }

    /// Signs it anew, after the body was changed.
    pub fn sign(&mut self) {
        self.sign_with(SECRET, self.now);
    }

    /// Signs it with another secret, or at another time.
    pub fn sign_with(&mut self, secret: &str, secs: u64) {
        let signed = signed(secret, secs, &self.body);
        self.headers = vec![
            (TIMESTAMP, signed.timestamp().to_owned()),
            (SIGNATURE, signed.signature().to_owned()),
        ];
    }

    /// Makes the body as long as this, with space after the event.
    pub fn pad_to(&mut self, bytes: usize) {
        self.body.resize(bytes, b' ');
        self.sign();
    }

    /// The value of a header.
    #[must_use]
    pub fn value(&self, name: &str) -> String {
        let header = self.headers.iter().find(|header| header.0 == name);
        header.expect("a header that is there").1.clone()
    }

    /// Sets a header's value.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.headers.retain(|header| header.0 != name);
        self.headers.push((name, value.to_owned()));
    }

    /// The head over HTTP/1.1, with this header for its framing.
    #[must_use]
    pub fn head(&self, framing: &str) -> Vec<u8> {
        let mut head =
            format!("POST /webhooks/scrupp HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n");
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into()
    }

    /// The head, with the length of the body.
    #[must_use]
    pub fn head_with_length(&self) -> Vec<u8> {
        self.head(&format!("Content-Length: {}", self.body.len()))
    }

    /// The whole request over HTTP/1.1.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        [self.head_with_length(), self.body.clone()].concat()
    }

    /// The whole request, its body in chunks of this size.
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

fn signed(secret: &str, secs: u64, body: &[u8]) -> SignedHeaders {
    let secret = Secret::new(secret).expect("a secret");
    Signer::new(&secret).sign(UnixTime::from_secs(secs), body)
}

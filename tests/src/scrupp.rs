use core::time::Duration;
use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use scrupp_verify_core::{Secret, SignedHeaders, Signer, UnixTime};
use tokio::time::{sleep, timeout};

use crate::SECRET;

/// A stand-in for Scrupp, which signs an event, and delivers it with backoff until the response is
/// a 2xx.
#[derive(Clone, Debug)]
pub struct Scrupp {
    client: Client<HttpConnector, Full<Bytes>>,
    signer: Signer,
    retries: Retries,
    timeout: Duration,
    first_pause: Duration,
    longest_pause: Duration,
    max_attempts: usize,
}

/// The headers of a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a retry has the same or new headers"
)]
pub enum Retries {
    /// The headers of the first attempt, so all attempts are equal byte for byte.
    SameHeaders,
    /// New headers, signed with the time of the attempt.
    NewHeaders,
}

/// The status of the response to an attempt, or `None` without a response.
pub type Attempt = Option<u16>;

impl Scrupp {
    /// Creates a sender: at most 20 attempts of at most 2 s, with pauses from 50 ms to 2 s.
    #[must_use]
    pub fn new(retries: Retries) -> Self {
        let secret = Secret::new(SECRET).expect("a secret");
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            signer: Signer::new(&secret),
            retries,
            timeout: Duration::from_secs(2),
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(2),
            max_attempts: 20,
        }
    }

    /// Sets the time limit of an attempt.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the maximum number of attempts.
    #[must_use]
    pub fn max_attempts(mut self, attempts: usize) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Delivers an event to each receiver in turn until it is acknowledged, and returns the results
    /// of the attempts. Only the last one can be a 2xx.
    pub async fn deliver(&self, receivers: &[SocketAddr], event: &str) -> Vec<Attempt> {
        let body = Bytes::copy_from_slice(event.as_bytes());
        let mut headers = self.sign(&body);
        let mut attempts = Vec::new();
        let mut pause = self.first_pause;
        for receiver in receivers.iter().cycle().take(self.max_attempts) {
            if !attempts.is_empty() {
                sleep(pause).await;
                pause = (pause * 2).min(self.longest_pause);
                if self.retries == Retries::NewHeaders {
                    headers = self.sign(&body);
                }
            }
            let attempt = self.attempt(*receiver, &headers, body.clone()).await;
            attempts.push(attempt);
            if is_acknowledged(&attempts) {
                break;
            }
        }
        attempts
    }

    fn sign(&self, body: &[u8]) -> SignedHeaders {
        self.signer.sign(UnixTime::now().expect("the time"), body)
    }

    async fn attempt(&self, receiver: SocketAddr, headers: &SignedHeaders, body: Bytes) -> Attempt {
        let request = Request::post(format!("http://{receiver}/webhooks/scrupp"))
            .header("Content-Type", "application/json")
            .header("X-Scrupp-Timestamp", headers.timestamp())
            .header("X-Scrupp-Signature", headers.signature())
            .body(Full::new(body))
            .expect("a request");
        let response = timeout(self.timeout, self.client.request(request)).await;
        Some(response.ok()?.ok()?.status().as_u16())
    }
}

/// Returns true if the last attempt was acknowledged.
#[must_use]
pub fn is_acknowledged(attempts: &[Attempt]) -> bool {
    matches!(attempts.last(), Some(Some(200..=299)))
}

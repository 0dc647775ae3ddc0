//! A receiver of Scrupp's deliveries with hyper and `scrupp-verify-core`, without an adapter. `main.rs` is a
//! server with this receiver.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::{Request, Response, StatusCode, body::Body, body::Incoming, http};
use scrupp_verify_core::dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore};
use scrupp_verify_core::{Rejection, RejectionKind as Kind, UnixTime, Verifier, events::Event};
use tokio::{
    sync::Semaphore,
    task::consume_budget,
    time::{Instant, timeout_at},
};

/// Body limit, in bytes.
const BODY_LIMIT: u64 = 256 * 1024;
/// Time limit for a body, which includes the wait for the budget and the drain of a rejected body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of a body without a reservation, in bytes. Small deliveries never wait for the budget.
const FREE_BYTES: u64 = 16 * 1024;
/// Lease of a claim. After the lease expires, another attempt at the same delivery may run the handler.
const LEASE: Duration = Duration::from_secs(60);
/// Time after which an acknowledged delivery expires. Scrupp is assumed to retry for one day.
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// The response to a request.
type Responded = http::Result<Response<String>>;

/// The verified body of a delivery, or the reason for its rejection.
type Received = Result<Vec<u8>, Rejection>;

/// Verifies deliveries, and runs a handler for each one that was not acknowledged before.
#[derive(Debug)]
pub struct Receiver<F> {
    verifier: Verifier,
    /// Bytes of unverified bodies, across all connections.
    budget: Semaphore,
    store: MemoryStore,
    handler: F,
}

impl<S: Future<Output = StatusCode>, F: Fn(Vec<u8>) -> S> Receiver<F> {
    /// Creates a receiver. The handler gets the verified body as received.
    #[must_use]
    pub fn new(verifier: Verifier, handler: F) -> Self {
        Self {
            verifier: verifier.body_limit(BODY_LIMIT as usize),
            budget: Semaphore::new(64 * 1024 * 1024),
            store: MemoryStore::default(),
            handler,
        }
    }

    /// Responds to a request.
    ///
    /// # Errors
    ///
    /// Returns an error if the response is not valid HTTP. hyper then closes the connection.
    ///
    /// # Cancel safety
    ///
    /// If dropped before completion, the future releases the claim of the delivery.
    pub async fn respond(&self, mut request: Request<Incoming>) -> Responded {
        // The rejection if the deadline passes. `OverBudget` until the body is polled.
        let mut on_timeout = Kind::OverBudget;
        let deadline = Instant::now() + BODY_TIMEOUT;
        let received = timeout_at(deadline, self.receive(&mut request, &mut on_timeout)).await;
        let received = received.unwrap_or(Err(on_timeout.into()));
        // A client that expects `100 Continue` sends no body until hyper polls the body.
        let is_sending =
            on_timeout == Kind::BodyTimeout || !request.headers().contains_key("expect");
        if received.is_err() && is_sending {
            tokio::spawn(timeout_at(deadline, drain(request.into_body())));
        }
        let handled = self.handle(received).await;
        handled.map_or_else(rejected, |status| response(status.as_u16(), &[], ""))
    }

    /// Receives a body. Checks the headers before polling the body, and hashes each chunk.
    async fn receive(&self, request: &mut Request<Incoming>, on_timeout: &mut Kind) -> Received {
        let now = UnixTime::now().ok_or(Kind::ClockUnavailable)?;
        let headers = request.headers().iter();
        let mut delivery = self.verifier.begin(&*headers.collect::<Vec<_>>(), now)?;
        let (mut received, mut reservation) = (Vec::new(), None);
        let body = request.body_mut();
        while !body.is_end_stream() {
            let (remaining, length) = (body.size_hint(), received.len() as u64);
            if reservation.is_none() && remaining.lower().saturating_add(length) > FREE_BYTES {
                // One reservation for the whole body, so no delivery waits while it holds a part.
                let remaining = remaining.upper().unwrap_or(BODY_LIMIT);
                let whole = remaining.saturating_add(length).min(BODY_LIMIT);
                *on_timeout = Kind::OverBudget;
                reservation = self.budget.acquire_many(whole as u32).await.ok();
                received.reserve_exact((whole - length) as usize);
            }
            *on_timeout = Kind::BodyTimeout;
            // Enforces the deadline even if the next chunk is always available.
            consume_budget().await;
            let Some(new) = body.frame().await else { break };
            let frame = new.map_err(|_| Kind::BodyBroken)?;
            // Trailers are not signed, so they are ignored.
            let chunk = frame.into_data().unwrap_or_default();
            delivery.update(&chunk)?;
            // A chunk is copied, because it may keep a much larger read buffer in memory.
            received.extend_from_slice(&chunk);
        }
        delivery.finish()?;
        Ok(received)
    }

    /// Runs the handler, unless the delivery is rejected or a duplicate.
    async fn handle(&self, received: Received) -> Result<StatusCode, Rejection> {
        let body = received?;
        // A retry may be serialized differently, so the id is derived from the event's fields.
        let event = Event::from_json(&body);
        let identity = match &event {
            Ok(Event::TaskCompleted(task)) => format!("{} {}", task.process_id, task.status).into(),
            _ => body.clone(),
        };
        let mut token = [0; 16];
        getrandom::fill(&mut token).map_err(|_| Kind::StoreUnavailable)?;
        let (id, token) = (DeliveryId::of(&[&identity]), ClaimToken::from_bytes(token));
        if let Err(error) = event {
            tracing::warn!(delivery_id = %id, %error, "a verified delivery is not an event");
        }
        match self.store.claim(id, token, LEASE).await {
            Ok(Claim::Granted) => {}
            Ok(Claim::Acknowledged) => return Ok(StatusCode::OK),
            Ok(Claim::InFlight) => return Err(Kind::InFlight.into()),
            Err(_) => return Err(Kind::StoreUnavailable.into()),
        }
        let _release = Release(&self.store, id, token);
        let status = (self.handler)(body).await;
        if status.is_success() && self.store.commit(id, token, RETENTION).await != Ok(true) {
            tracing::error!(delivery_id = %id, "handled a delivery, but its claim is not committed");
        }
        Ok(status)
    }
}

/// Releases a claim on drop, unless the claim is committed.
struct Release<'s>(&'s MemoryStore, DeliveryId, ClaimToken);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.release_now(self.1, self.2);
    }
}

/// Reads the rest of a rejected body while hyper sends the response. If unread bytes remain, the connection
/// is reset, and the client may lose the response.
async fn drain(body: Incoming) {
    let mut body = Limited::new(body, BODY_LIMIT as usize);
    while let Some(Ok(_)) = body.frame().await {
        consume_budget().await;
    }
}

fn rejected(rejection: Rejection) -> Responded {
    tracing::warn!(kind = rejection.kind().as_str(), "{rejection}");
    response(rejection.status(), rejection.headers(), rejection.problem())
}

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Responded {
    let response = Response::builder().status(status);
    let with = |response: http::response::Builder, &(name, value): &_| response.header(name, value);
    headers.iter().fold(response, with).body(body.to_owned())
}

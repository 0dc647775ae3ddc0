//! Receives Scrupp's deliveries with `scrupp-verify-core` alone, behind hyper's connection API.

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

/// Largest body, in bytes.
const BODY_LIMIT: u64 = 256 * 1024;
/// Time for a whole body to arrive, including its wait for the budget. If it is rejected, time for
/// its rest to be drained.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest body that needs no part of the budget, in bytes. Slow uploads never delay it.
const FREE_BYTES: u64 = 16 * 1024;
/// Lease of a claim. When it expires, another attempt at the same delivery may run the handler.
const LEASE: Duration = Duration::from_secs(60);
/// Time for which an acknowledged delivery is remembered: as long as Scrupp retries.
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Response to a request.
type Responded = http::Result<Response<String>>;

/// Verified body of a delivery.
type Received = Result<Vec<u8>, Rejection>;

/// Verifies deliveries, and runs a handler once on each that is genuine.
#[derive(Debug)]
pub struct Receiver<F> {
    verifier: Verifier,
    /// Bytes of unverified bodies that may be held at once, over all connections: 64 MiB.
    budget: Semaphore,
    store: MemoryStore,
    handler: F,
}

impl<S: Future<Output = StatusCode>, F: Fn(Vec<u8>) -> S> Receiver<F> {
    /// Creates a receiver. The handler gets the bodies of deliveries, byte for byte.
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
    /// If HTTP does not allow the response. hyper closes the connection then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the delivery's claim is released.
    pub async fn respond(&self, mut request: Request<Incoming>) -> Responded {
        // The reason to reject if time runs out: until the body is polled, it waits for the budget.
        let mut late = Kind::OverBudget;
        let deadline = Instant::now() + BODY_TIMEOUT;
        let received = timeout_at(deadline, self.receive(&mut request, &mut late)).await;
        let received = received.unwrap_or(Err(late.into()));
        // A client that expects `100 Continue` sends nothing before hyper is asked for the body.
        let is_sending = late == Kind::BodyTimeout || !request.headers().contains_key("expect");
        if received.is_err() && is_sending {
            tokio::spawn(timeout_at(deadline, drain(request.into_body())));
        }
        let handled = self.handle(received).await;
        handled.map_or_else(rejected, |status| response(status.as_u16(), &[], ""))
    }

    /// Verifies a delivery: the headers before the body is polled, then each chunk as it arrives.
    async fn receive(&self, request: &mut Request<Incoming>, late: &mut Kind) -> Received {
        let now = UnixTime::now().ok_or(Kind::ClockUnavailable)?;
        let headers = request.headers().iter();
        let mut delivery = self.verifier.begin(&*headers.collect::<Vec<_>>(), now)?;
        let (mut received, mut reservation) = (Vec::new(), None);
        let body = request.body_mut();
        while !body.is_end_stream() {
            let (rest, length) = (body.size_hint(), received.len() as u64);
            if reservation.is_none() && rest.lower().saturating_add(length) > FREE_BYTES {
                // Acquired once, so no delivery waits while it holds a part of the budget.
                let rest = rest.upper().unwrap_or(BODY_LIMIT);
                let whole = rest.saturating_add(length).min(BODY_LIMIT);
                *late = Kind::OverBudget;
                reservation = self.budget.acquire_many(whole as u32).await.ok();
                received.reserve_exact((whole - length) as usize);
            }
            *late = Kind::BodyTimeout;
            // Otherwise a body whose next chunk is always available would exceed its deadline.
            consume_budget().await;
            let Some(new) = body.frame().await else { break };
            let frame = new.map_err(|_| Kind::BodyBroken)?;
            // Trailers are not signed: they count as an empty chunk.
            let chunk = frame.into_data().unwrap_or_default();
            delivery.update(&chunk)?;
            // Copied, because a chunk may keep a much larger read buffer in memory.
            received.extend_from_slice(&chunk);
        }
        delivery.finish()?;
        Ok(received)
    }

    /// Runs the handler, unless the delivery is rejected or a duplicate.
    async fn handle(&self, received: Received) -> Result<StatusCode, Rejection> {
        let body = received?;
        // A retry may be written in another way: what it says identifies the delivery.
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

/// Releases a claim on drop. Has no effect on a committed claim.
struct Release<'s>(&'s MemoryStore, DeliveryId, ClaimToken);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.release_now(self.1, self.2);
    }
}

/// Reads the rest of a rejected body while hyper sends the response. A connection that is closed
/// with bytes unread is reset, and the client may lose the response.
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

//! A Rocket data guard for verified deliveries, and its fairing. `main.rs` is a server with both.

use std::{
    io::Cursor,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use rocket::{
    Build, Ignite, Request, Response, Rocket, Sentinel, async_trait,
    data::{ByteUnit, Data, FromData, Outcome},
    fairing::{self, Fairing, Info, Kind},
    futures::TryStreamExt,
    http::Status,
};
use scrupp_verify_adapter::{Config, Dedup, HandlerGuard};
use scrupp_verify_core::{Keyring, Rejection, VerifiedDelivery};
use tokio_util::io::ReaderStream;

/// A fairing that verifies deliveries for the guard [`Delivery`].
///
/// If the response is a 2xx, the fairing commits the claim of the delivery. Otherwise, or if Rocket drops
/// the request, the claim is released.
#[derive(Clone, Debug)]
pub struct ScruppVerify(Arc<Config<(), ()>>);

impl ScruppVerify {
    /// Creates the fairing, with the defaults of [`Config`].
    #[must_use]
    pub fn new(keyring: Keyring, store: impl Into<Dedup>) -> Self {
        let mut config = Config::new(keyring, ());
        config.dedup = Some(store.into());
        Self(Arc::new(config))
    }
}

/// A verified delivery that was not acknowledged before.
///
/// If the delivery is a duplicate, the response is an empty 200, and the handler does not run. If the
/// delivery is rejected, the guard reads the rest of the body before it responds, within the body limit
/// and the deadline.
///
/// # Security
///
/// Put a proxy in front of Rocket that limits the number of connections, and the time for the head and the
/// body of a request. Rocket reads the head and the first 14 bytes of the body, without a time limit,
/// before it calls the guard.
///
/// Rocket drops header values that are not UTF-8. If a request repeats a header with such a value, the
/// guard does not reject the request.
#[derive(Debug)]
pub struct Delivery(pub VerifiedDelivery<Bytes>);

/// The result of the guard, kept in the request for the fairing.
enum Received {
    Accepted(HandlerGuard),
    Duplicate,
    Rejected(Rejection),
}

fn received<'r>(request: &'r Request<'_>) -> MutexGuard<'r, Option<Received>> {
    let received = request.local_cache(|| Mutex::new(None));
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl<'r> FromData<'r> for Delivery {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let Some(ScruppVerify(config)) = request.rocket().state() else {
            return Outcome::Error((Status::InternalServerError, ()));
        };
        let lines: Vec<_> = request.headers().iter().collect();
        let headers = lines
            .iter()
            .map(|line| (line.name().as_str(), line.value()));
        let headers: Vec<_> = headers.collect();
        // The adapter enforces the body limit. A limit of Rocket would end the stream without an error.
        let stream = ReaderStream::new(data.open(ByteUnit::max_value()));
        let mut body = StreamBody::new(stream.map_ok(Frame::data));
        match config.receive(&*headers, &(), None, &mut body).await {
            Ok(Some(accepted)) => {
                *received(request) = Some(Received::Accepted(accepted.handler));
                Outcome::Success(Self(accepted.delivery))
            }
            Ok(None) => {
                *received(request) = Some(Received::Duplicate);
                Outcome::Error((Status::Ok, ()))
            }
            Err(rejected) => {
                // If unread bytes remain, the connection is reset, and the client may lose the response.
                if let Some(drain) = config.drain(rejected, body) {
                    drain.await;
                }
                *received(request) = Some(Received::Rejected(rejected.rejection));
                Outcome::Error((Status::new(rejected.rejection.status()), ()))
            }
        }
    }
}

/// Aborts the launch if a route has the guard but the fairing is not attached.
impl Sentinel for Delivery {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<ScruppVerify>().is_none()
    }
}

#[async_trait]
impl Fairing for ScruppVerify {
    fn info(&self) -> Info {
        Info {
            name: "scrupp-verify",
            kind: Kind::Ignite | Kind::Response,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        Ok(rocket.manage(self.clone()))
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let received = received(request).take();
        match received {
            None => {}
            Some(Received::Accepted(handler)) => {
                let status = response.status().code;
                handler.complete(Some(status), false).await;
            }
            // Replaces the response of a catcher.
            Some(Received::Duplicate) => *response = Response::new(),
            Some(Received::Rejected(rejection)) => {
                let problem = rejection.problem();
                let mut rejected = Response::build();
                rejected.status(Status::new(rejection.status()));
                for &(name, value) in rejection.headers() {
                    rejected.raw_header(name, value);
                }
                rejected.sized_body(problem.len(), Cursor::new(problem));
                *response = rejected.finalize();
            }
        }
    }
}

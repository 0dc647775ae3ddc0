//! A data guard that only deliveries of Scrupp pass, and the fairing behind it.

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

/// A fairing for routes with the guard [`Delivery`]. Holds the secrets and the store, responds to rejected
/// deliveries, and commits claims.
///
/// The fairing commits the claim of a delivery if the response is a 2xx. Otherwise it releases the claim. If
/// the request is dropped, the claim is released too.
#[derive(Clone, Debug)]
pub struct ScruppVerify(Arc<Config<(), ()>>);

impl ScruppVerify {
    /// Creates the fairing, with the defaults of the adapter: a body may have 256 KiB and take 10 s, and
    /// unverified bodies may hold 64 MiB over all connections.
    #[must_use]
    pub fn new(keyring: Keyring, store: impl Into<Dedup>) -> Self {
        let mut config = Config::new(keyring, ());
        config.dedup = Some(store.into());
        Self(Arc::new(config))
    }
}

/// A delivery that Scrupp signed, and that was not handled before.
///
/// A duplicate gets an empty 200, and the handler does not run. The response to a rejected delivery waits
/// until the rest of the body has arrived, within the body limit and the body time-out.
///
/// # Security
///
/// Rocket reads the first 14 bytes of a body before it calls a guard, and has no time limit for them, nor
/// for a head. Put a proxy in front that has both, and that limits the number of connections.
///
/// Rocket drops header values that are not UTF-8, so the guard does not notice one beside a valid value.
#[derive(Debug)]
pub struct Delivery(pub VerifiedDelivery<Bytes>);

/// Result of the guard, which the request keeps for the fairing.
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
        // The adapter has the limit. At a limit of its own, the stream would end without an error.
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
                // A connection that is closed with bytes unread is reset, and may lose the response.
                if let Some(drain) = config.drain(rejected, body) {
                    drain.await;
                }
                *received(request) = Some(Received::Rejected(rejected.rejection));
                Outcome::Error((Status::new(rejected.rejection.status()), ()))
            }
        }
    }
}

/// Fails the launch if a route has the guard and the fairing is not attached.
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
            // In place of what a catcher responded.
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

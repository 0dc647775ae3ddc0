//! A server that verifies Scrupp's webhooks with Salvo.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-salvo`, then send a delivery:
//!
//! ```sh
//! body='{"event":"task.completed","process_id":6666,"status":"completed"}'
//! time=$(date +%s)
//! mac=$(printf '%s.%s' "$time" "$body" | openssl dgst -sha256 -hmac topsecret | sed 's/.* //')
//! curl -i http://127.0.0.1:3000/webhooks/scrupp -H "X-Scrupp-Timestamp: $time" \
//!     -H "X-Scrupp-Signature: sha256=$mac" --data-binary "$body"
//! curl http://127.0.0.1:3000/deliveries
//! ```
//!
//! The server listens on `BIND`, by default `127.0.0.1:3000`. If only `PORT` is set, the server listens
//! on that port on all interfaces (`0.0.0.0`).

mod deliveries;
mod environment;
mod errors;
mod secrets;
mod server;

use std::{collections::VecDeque, error::Error, io, process::ExitCode};

use salvo::{
    Request, Router, handler,
    http::{ReqBody, StatusCode},
    hyper::{self, body::Bytes},
    prelude::TowerLayerCompat,
    writing::Json,
};
use scrupp_verify_tower::{ScruppVerify, VerifiedBody, VerifiedDelivery, dedup, events::Event};
use tower::util::MapRequestLayer;

#[tokio::main]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    // Otherwise the subscriber reports a failed write to standard error with `eprintln!`, which panics.
    log.log_internal_errors(false).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = environment::bind()?;
    let verify = ScruppVerify::new(secrets::keyring()?).dedup(dedup::MemoryStore::default());
    // Salvo's handlers need Salvo's own body type.
    let body = |request: hyper::Request<VerifiedBody>| {
        request.map(|body| ReqBody::from(body.into_bytes()))
    };
    let verify = (verify, MapRequestLayer::new(body)).compat::<ReqBody>();
    let webhook = Router::with_path("webhooks/scrupp").hoop(verify);
    let router = Router::new()
        .push(webhook.post(delivered))
        .push(Router::with_path("healthz").get(healthz).head(healthz))
        .push(Router::with_path("deliveries").get(list).head(list));

    let served = server::until_stopped(&bind.address, router).await;
    served.map_err(|error| format!("{}: {error}", bind.setting).into())
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
#[handler]
async fn delivered(request: &Request) -> StatusCode {
    let delivery: Option<&VerifiedDelivery<Bytes>> = request.extensions().get();
    let Some(delivery) = delivery else {
        return StatusCode::INTERNAL_SERVER_ERROR;
    };
    match Event::parse(delivery) {
        Ok(event) => {
            deliveries::add(event);
            StatusCode::OK
        }
        Err(error) => {
            let delivery_id = dedup::DeliveryId::new(delivery);
            tracing::warn!(%delivery_id, %error, "a verified delivery is not an event");
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}

/// Responds with an empty string, because Salvo logs a warning for a response without a body.
#[handler]
async fn healthz() -> &'static str {
    ""
}

#[handler]
async fn list() -> Json<VecDeque<Event>> {
    Json(deliveries::all())
}

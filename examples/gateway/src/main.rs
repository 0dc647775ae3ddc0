//! A reverse proxy that forwards only deliveries that Scrupp signed, for automation tools that cannot
//! verify them.
//!
//! Run with the URL that the tool shows for its webhook in `FORWARD_TO`, and send a delivery:
//!
//! ```sh
//! SCRUPP_WEBHOOK_SECRET=topsecret FORWARD_TO=https://hooks.zapier.com/hooks/catch/… \
//!     cargo run -p example-gateway
//!
//! body='{"event":"task.completed","process_id":6666,"status":"completed"}'
//! time=$(date +%s)
//! mac=$(printf '%s.%s' "$time" "$body" | openssl dgst -sha256 -hmac topsecret | sed 's/.* //')
//! curl -i http://127.0.0.1:3000/webhooks/scrupp -H "X-Scrupp-Timestamp: $time" \
//!     -H "X-Scrupp-Signature: sha256=$mac" -H 'Content-Type: application/json' \
//!     --data-binary "$body"
//! ```
//!
//! The address is `BIND`, by default `127.0.0.1:3000`. If only `PORT` is set, as in a container, the
//! server listens on all interfaces (`0.0.0.0`).

mod target;

use std::{error::Error, io, process::ExitCode};

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    routing::{get, post},
};
use example_support::{deliveries, errors, server, settings};
use hyper_util::service::TowerToHyperService;
use scrupp_verify_tower::{
    ScruppVerify, VerifiedDelivery,
    dedup::{DeliveryId, MemoryStore},
    events::Event,
};

use crate::target::Target;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let verify = ScruppVerify::new(settings::keyring()?).dedup(MemoryStore::default());
    let app = Router::new()
        .route("/webhooks/scrupp", post(delivered).layer(verify))
        .route("/healthz", get(|| async {}))
        .route("/deliveries", get(|| async { Json(deliveries::all()) }))
        .with_state(Target::from_environment()?);
    server::until_stopped(&settings::bind(), TowerToHyperService::new(app)).await
}

/// Forwards each delivery that Scrupp signed until the target has accepted it.
async fn delivered(
    State(target): State<Target>,
    headers: HeaderMap,
    Extension(delivery): Extension<VerifiedDelivery<Bytes>>,
) -> StatusCode {
    // No other header: the target cannot verify the signature, and could use it elsewhere.
    let content_type = headers.get(CONTENT_TYPE).cloned();
    let (id, body) = (DeliveryId::new(&delivery), delivery.body().clone());
    let status = target.forward(id, content_type, body).await;
    if let (true, Ok(event)) = (status.is_success(), Event::parse(&delivery)) {
        deliveries::add(event);
    }
    status
}

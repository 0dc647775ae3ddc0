//! A server that verifies Scrupp's webhooks with Poem.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-poem`, then send a delivery:
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
mod serve;

use std::{
    collections::VecDeque, convert::Infallible, error::Error, io, process::ExitCode, sync::Arc,
};

use hyper::{Request, Response, body, service::service_fn};
use poem::{
    Endpoint, Route,
    endpoint::TowerCompatExt,
    get, handler,
    http::{StatusCode, uri::Scheme},
    post,
    web::{Data, Json},
};
use scrupp_verify_tower::{ScruppVerify, VerifiedBody, VerifiedDelivery, dedup, events::Event};
use tower::Layer;

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
    // Poem's adapter for layers supports only Poem's own body type, so the layer wraps a tower service.
    let webhook = tower::service_fn(async |request: Request<VerifiedBody>| {
        let (head, body) = request.into_parts();
        let head = (head, Default::default(), Default::default(), Scheme::HTTP);
        let request = poem::Request::from_parts(head.into(), body.into_bytes().into());
        Ok::<Response<_>, Infallible>(delivered.get_response(request).await.into())
    });
    let app = Route::new()
        .at("/webhooks/scrupp", post(verify.layer(webhook).compat()))
        .at("/healthz", get(healthz))
        .at("/deliveries", get(list));
    let app = Arc::new(app);
    // Poem's server sets no time limit for the head of a request. Behind `serve`, handlers cannot read the
    // addresses of a connection.
    let service = service_fn(move |request: Request<body::Incoming>| {
        let app = Arc::clone(&app);
        async move {
            let request = (
                request,
                Default::default(),
                Default::default(),
                Scheme::HTTP,
            );
            Ok::<Response<_>, Infallible>(app.get_response(request.into()).await.into())
        }
    });
    let served = serve::until_stopped(&bind.address, service).await;
    served.map_err(|error| format!("{}: {error}", bind.setting).into())
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
#[handler]
fn delivered(Data(delivery): Data<&VerifiedDelivery<body::Bytes>>) -> StatusCode {
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

#[handler]
fn healthz() {}

#[handler]
fn list() -> Json<VecDeque<Event>> {
    Json(deliveries::all())
}

//! A server that verifies Scrupp's webhooks with warp.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-warp`, then send a delivery:
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

use std::{error::Error, io, process::ExitCode};

use http_body_util::Either;
use hyper::{Request, body, service::service_fn};
use scrupp_verify_tower::{ScruppVerify, VerifiedDelivery, dedup, events::Event};
use tower::{Layer, ServiceExt};
use warp::{Filter, http::StatusCode, reply};

#[tokio::main]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    // Otherwise the subscriber reports a failed write to standard error with `eprintln!`, which panics.
    log.log_internal_errors(false).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = environment::bind()?;
    let webhook = warp::path!("webhooks" / "scrupp").and(warp::post());
    let webhook = webhook.and(warp::ext::get()).map(delivered);
    let get = warp::get().or(warp::head()).unify();
    let healthz = warp::path!("healthz").and(get).map(reply);
    let deliveries = warp::path!("deliveries").and(get);
    let deliveries = deliveries.map(|| reply::json(&deliveries::all()));

    let verify = ScruppVerify::new(secrets::keyring()?).dedup(dedup::MemoryStore::default());
    let webhook = verify.layer(warp::service(webhook));
    // Routes without a signature. The webhook must stay behind the layer.
    let others = warp::service(healthz.or(deliveries));
    let service = service_fn(move |request: Request<body::Incoming>| {
        let (webhook, others) = (webhook.clone(), others);
        async move {
            match request.uri().path() {
                "/webhooks/scrupp" => Ok(webhook.oneshot(request).await?.map(Either::Left)),
                _ => others.oneshot(request).await.map(|r| r.map(Either::Right)),
            }
        }
    });
    let served = serve::until_stopped(&bind.address, service).await;
    served.map_err(|error| format!("{}: {error}", bind.setting).into())
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
fn delivered(delivery: VerifiedDelivery<body::Bytes>) -> StatusCode {
    match Event::parse(&delivery) {
        Ok(event) => {
            deliveries::add(event);
            StatusCode::OK
        }
        Err(error) => {
            let delivery_id = dedup::DeliveryId::new(&delivery);
            tracing::warn!(%delivery_id, %error, "a verified delivery is not an event");
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}

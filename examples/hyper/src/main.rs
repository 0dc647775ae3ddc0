//! A server that verifies Scrupp's webhooks with hyper, without a framework.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-hyper`, then send a delivery:
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
mod pages;
mod secrets;
mod serve;

use std::{convert::Infallible, error::Error, io, process::ExitCode};

use http_body_util::Either;
use hyper::{Method, Request, StatusCode, body, service::service_fn};
use scrupp_verify_tower::{ScruppVerify, VerifiedBody, VerifiedDelivery, dedup, events::Event};
use tower::{Layer, ServiceExt};

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
    let webhook = tower::service_fn(async |request| Ok::<_, Infallible>(delivered(&request)));
    let webhook = verify.layer(webhook.map_response(pages::empty));
    let service = service_fn(move |request: Request<body::Incoming>| {
        let webhook = webhook.clone();
        async move {
            match (request.uri().path(), request.method()) {
                ("/webhooks/scrupp", &Method::POST) => {
                    Ok(webhook.oneshot(request).await?.map(Either::Left))
                }
                _ => Ok::<_, Infallible>(pages::respond(&request).map(Either::Right)),
            }
        }
    });
    let served = serve::until_stopped(&bind.address, service).await;
    served.map_err(|error| format!("{}: {error}", bind.setting).into())
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
fn delivered(request: &Request<VerifiedBody>) -> StatusCode {
    let delivery: Option<&VerifiedDelivery<body::Bytes>> = request.extensions().get();
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

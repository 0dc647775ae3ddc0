//! A server that takes Scrupp's deliveries, with warp.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-warp`, and send a delivery:
//!
//! ```sh
//! body='{"event":"task.completed","process_id":6666,"status":"completed"}'
//! time=$(date +%s)
//! mac=$(printf '%s.%s' "$time" "$body" | openssl dgst -sha256 -hmac topsecret | sed 's/.* //')
//! curl -i http://127.0.0.1:3000/webhooks/scrupp -H "X-Scrupp-Timestamp: $time" \
//!     -H "X-Scrupp-Signature: sha256=$mac" --data-binary "$body"
//! curl http://127.0.0.1:3000/deliveries
//! ```

use std::{error::Error, io, process};

use example_support::{deliveries, server, settings};
use http_body_util::Either;
use hyper::{Request, body, service::service_fn};
use scrupp_verify_tower::{ScruppVerify, VerifiedDelivery, dedup::MemoryStore, events::Event};
use tower::{Layer, ServiceExt};
use warp::{Filter, http::StatusCode, reply};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    if let Err(error) = run().await {
        eprintln!("{error}");
        process::exit(2);
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let webhook = warp::path!("webhooks" / "scrupp").and(warp::post());
    let webhook = webhook.and(warp::ext::get()).map(delivered);
    let healthz = warp::path!("healthz").and(warp::get()).map(reply);
    let deliveries = warp::path!("deliveries").and(warp::get());
    let deliveries = deliveries.map(|| reply::json(&deliveries::all()));

    let verify = ScruppVerify::new(settings::keyring()?).dedup(MemoryStore::default());
    let webhook = verify.layer(warp::service(webhook));
    // These can be reached without a signature, and the route of the deliveries is not among them.
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
    server::until_stopped(&settings::bind(), service).await
}

/// Runs only on what Scrupp sent, and once for each event.
fn delivered(delivery: VerifiedDelivery<body::Bytes>) -> StatusCode {
    match Event::parse(&delivery) {
        Ok(event) => {
            deliveries::add(event);
            StatusCode::OK
        }
        Err(_) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

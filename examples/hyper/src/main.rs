//! A server that takes Scrupp's deliveries, with hyper alone.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-hyper`, and send a delivery:
//!
//! ```sh
//! body='{"event":"task.completed","process_id":6666,"status":"completed"}'
//! time=$(date +%s)
//! mac=$(printf '%s.%s' "$time" "$body" | openssl dgst -sha256 -hmac topsecret | sed 's/.* //')
//! curl -i http://127.0.0.1:3000/webhooks/scrupp -H "X-Scrupp-Timestamp: $time" \
//!     -H "X-Scrupp-Signature: sha256=$mac" --data-binary "$body"
//! curl http://127.0.0.1:3000/deliveries
//! ```

use std::{convert::Infallible, error::Error, io, process};

use example_support::{deliveries, server, settings};
use http_body_util::{Either, Full};
use hyper::{Method, Request, Response, StatusCode, body, header, service::service_fn};
use scrupp_verify_tower::{
    ScruppVerify, VerifiedBody, VerifiedDelivery, dedup::MemoryStore, events::Event,
};
use tower::{Layer, ServiceExt};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    if let Err(error) = run().await {
        eprintln!("{error}");
        process::exit(2);
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let verify = ScruppVerify::new(settings::keyring()?).dedup(MemoryStore::default());
    let webhook = tower::service_fn(async |request| Ok::<_, Infallible>(delivered(request)));
    let webhook = verify.layer(webhook.map_response(empty));
    let service = service_fn(move |request: Request<body::Incoming>| {
        let webhook = webhook.clone();
        async move {
            match request.uri().path() {
                "/webhooks/scrupp" => Ok(webhook.oneshot(request).await?.map(Either::Left)),
                _ => Ok::<_, Infallible>(other(&request).map(Either::Right)),
            }
        }
    });
    server::until_stopped(&settings::bind(), service).await
}

/// Runs only on what Scrupp sent, and once for each event.
fn delivered(request: Request<VerifiedBody>) -> StatusCode {
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    let delivery: Option<&VerifiedDelivery<body::Bytes>> = request.extensions().get();
    let Some(Ok(event)) = delivery.map(Event::parse) else {
        return StatusCode::UNPROCESSABLE_ENTITY;
    };
    deliveries::add(event);
    StatusCode::OK
}

fn other(request: &Request<body::Incoming>) -> Response<Full<body::Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz") => empty(StatusCode::OK),
        (&Method::GET, "/deliveries") => {
            let json = serde_json::to_string(&deliveries::all()).unwrap_or_default();
            let mut response = Response::new(json.into());
            let json = header::HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        _ => empty(StatusCode::NOT_FOUND),
    }
}

fn empty(status: StatusCode) -> Response<Full<body::Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

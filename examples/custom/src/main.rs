//! A server that receives Scrupp's deliveries, with the core of scrupp-verify alone behind hyper.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-custom`, and send a delivery:
//!
//! ```sh
//! body='{"event":"task.completed","process_id":6666,"status":"completed"}'
//! time=$(date +%s)
//! mac=$(printf '%s.%s' "$time" "$body" | openssl dgst -sha256 -hmac topsecret | sed 's/.* //')
//! curl -i http://127.0.0.1:3000/webhooks/scrupp -H "X-Scrupp-Timestamp: $time" \
//!     -H "X-Scrupp-Signature: sha256=$mac" --data-binary "$body"
//! curl http://127.0.0.1:3000/deliveries
//! ```

use std::{error::Error, io, process, sync::Arc};

use example_custom::{Receiver, response};
use example_support::{deliveries, server, settings};
use hyper::{Method, StatusCode, service::service_fn};
use scrupp_verify_core::{Verifier, events::Event};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    if let Err(error) = run().await {
        eprintln!("{error}");
        process::exit(2);
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let verifier = Verifier::new(settings::keyring()?);
    let receiver = Arc::new(Receiver::new(verifier, delivered));
    let service = service_fn(move |request| {
        let receiver = Arc::clone(&receiver);
        async move {
            match (request.method(), request.uri().path()) {
                (&Method::POST, "/webhooks/scrupp") => receiver.respond(request).await,
                (&Method::GET, "/healthz") => response(200, &[], ""),
                (&Method::GET, "/deliveries") => {
                    let json = serde_json::to_string(&deliveries::all()).unwrap_or_default();
                    response(200, &[("content-type", "application/json")], &json)
                }
                _ => response(404, &[], ""),
            }
        }
    });
    server::until_stopped(&settings::bind(), service).await
}

/// Runs only on what Scrupp sent, and once for each event.
async fn delivered(body: Vec<u8>) -> StatusCode {
    if let Err(error) = Event::from_json(&body).map(deliveries::add) {
        tracing::error!(%error, "the verified delivery is not an event");
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    StatusCode::OK
}

//! A server that verifies Scrupp's webhooks with hyper and `scrupp-verify-core`, without an adapter.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-custom`, then send a delivery:
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

use std::{error::Error, io, process::ExitCode, sync::Arc};

use example_custom::Receiver;
use hyper::{Method, StatusCode, service::service_fn};
use scrupp_verify_core::{Verifier, events::Event};

#[tokio::main]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    // Otherwise the subscriber reports a failed write to standard error with `eprintln!`, which panics.
    log.log_internal_errors(false).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = environment::bind()?;
    let verifier = Verifier::new(secrets::keyring()?);
    let receiver = Arc::new(Receiver::new(verifier, delivered));
    let service = service_fn(move |request| {
        let receiver = Arc::clone(&receiver);
        async move {
            match (request.uri().path(), request.method()) {
                ("/webhooks/scrupp", &Method::POST) => receiver.respond(request).await,
                _ => Ok(pages::respond(&request)),
            }
        }
    });
    let served = serve::until_stopped(&bind.address, service).await;
    served.map_err(|error| format!("{}: {error}", bind.setting).into())
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
async fn delivered(body: Vec<u8>) -> StatusCode {
    match Event::from_json(&body).map(deliveries::add) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

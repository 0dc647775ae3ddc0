//! A server that receives Scrupp's deliveries, with axum.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-axum`, and send a delivery:
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
//! An event that was handled is not handled again. The store that remembers this is `STORE_URL`:
//!
//! | `STORE_URL` | shared by | after a restart |
//! |---|---|---|
//! | `sqlite:deliveries.db` (default), in the working directory | processes of one machine | remembers everything |
//! | `postgres://user:password@host/database` | any number of processes | remembers everything |
//! | `redis://host`, `rediss://host` (TLS) | any number of processes | remembers what Redis keeps |
//! | `redis+cluster://host,host` | any number of processes | remembers what Redis keeps |
//! | `memory:` | | forgets everything |
//!
//! If PostgreSQL or Redis cannot be reached, the server starts, and responds with 503 until it can.
//! `REDIS_URL` is an older name of `STORE_URL`.
//!
//! The address is `BIND`, by default `127.0.0.1:3000`. If only `PORT` is set, as in a container, the
//! server listens on all interfaces (`0.0.0.0`).
//!
//! With `METRICS_BIND=127.0.0.1:9464`, Prometheus can scrape `http://127.0.0.1:9464/metrics`. Anybody who
//! can reach that address can read the metrics.

mod deliveries;
mod environment;
mod errors;
mod metrics;
mod secrets;
mod serve;
mod store;

use std::{error::Error, io, process::ExitCode};

use axum::{
    Json, Router,
    routing::{get, post},
};
use hyper_util::service::TowerToHyperService;
use scrupp_verify_tower::{ScruppEvent, ScruppVerify};

#[tokio::main]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    // If standard error cannot be written, printing that there would panic.
    log.log_internal_errors(false).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = environment::bind()?;
    let mut verify = ScruppVerify::new(secrets::keyring()?).dedup(store::open().await?);
    if let Some(observer) = metrics::observer()? {
        verify = verify.observe(observer);
    }
    let app = Router::new()
        .route("/webhooks/scrupp", post(delivered).layer(verify))
        .route("/healthz", get(|| async {}))
        .route("/deliveries", get(|| async { Json(deliveries::all()) }))
        // Applies the layer to its handler once, and not for each request.
        .with_state(());
    // `axum::serve` has no time limit for a request's head, and drops the handler of a client that
    // closes its sending side.
    let served = serve::until_stopped(&bind.address, TowerToHyperService::new(app)).await;
    served.map_err(|error| format!("{}: {error}", bind.setting).into())
}

/// Handles each event once, and only if Scrupp signed it.
async fn delivered(ScruppEvent(event): ScruppEvent) {
    deliveries::add(event);
}

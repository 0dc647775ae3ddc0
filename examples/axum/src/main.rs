//! A server that verifies Scrupp's webhooks with axum.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-axum`, then send a delivery:
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
//! `STORE_URL` selects the store of acknowledged deliveries. `REDIS_URL` is an older name of this setting.
//!
//! | `STORE_URL` | store |
//! |---|---|
//! | `sqlite:deliveries.db` (default) | a SQLite file in the working directory |
//! | `postgres://user:password@host/database` | PostgreSQL |
//! | `redis://host`, `rediss://host` (TLS) | Redis |
//! | `redis+cluster://host,host` | Redis Cluster |
//! | `memory:` | the memory of the process, empty after a restart |
//!
//! If PostgreSQL or Redis is unavailable, the server starts, and rejects deliveries with 503 until the store
//! is available. If the store rejects the credentials or the commands, the server does not start.
//!
//! The server listens on `BIND`, by default `127.0.0.1:3000`. If only `PORT` is set, the server listens
//! on that port on all interfaces (`0.0.0.0`).
//!
//! With `METRICS_BIND=127.0.0.1:9464`, the server exposes metrics to Prometheus at
//! `http://127.0.0.1:9464/metrics`, without authentication.

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
    // Otherwise the subscriber reports a failed write to standard error with `eprintln!`, which panics.
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
        // Applies the layer once. Otherwise axum applies it again for each request.
        .with_state(());
    // `axum::serve` sets no time limit for the head of a request, and drops the handler if the client
    // half-closes the connection.
    let served = serve::until_stopped(&bind.address, TowerToHyperService::new(app)).await;
    served.map_err(|error| format!("{}: {error}", bind.setting).into())
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
async fn delivered(ScruppEvent(event): ScruppEvent) {
    deliveries::add(event);
}

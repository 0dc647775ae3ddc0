//! A server that takes Scrupp's deliveries, with axum.
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
//! With `REDIS_URL=redis://127.0.0.1` it shares what it has handled with others.

use std::{env, error::Error, io, process};

use axum::{
    Json, Router,
    routing::{get, post},
};
use example_support::{deliveries, server, settings};
use hyper_util::service::TowerToHyperService;
use scrupp_verify_redis::RedisStore;
use scrupp_verify_tower::{Dedup, ScruppEvent, ScruppVerify, dedup::MemoryStore};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    if let Err(error) = run().await {
        eprintln!("{error}");
        process::exit(2);
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let verify = ScruppVerify::new(settings::keyring()?).dedup(store()?);
    let app = Router::new()
        .route("/webhooks/scrupp", post(delivered).layer(verify))
        .route("/healthz", get(|| async {}))
        .route("/deliveries", get(|| async { Json(deliveries::all()) }))
        // Puts the layer around its handler once, and not for each request.
        .with_state(());
    // `axum::serve` would do as well, but has no time limit for a request's head.
    server::until_stopped(&settings::bind(), TowerToHyperService::new(app)).await
}

/// In memory for one process, or in Redis for all that share it.
fn store() -> Result<Dedup, String> {
    match env::var("REDIS_URL") {
        Ok(url) => Ok(RedisStore::new(&url)
            .map_err(|why| format!("REDIS_URL: {why}"))?
            .into()),
        Err(_) => Ok(MemoryStore::default().into()),
    }
}

/// Runs only on what Scrupp sent, and once for each event.
async fn delivered(ScruppEvent(event): ScruppEvent) {
    deliveries::add(event);
}

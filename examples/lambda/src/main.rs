//! A function on AWS Lambda that receives Scrupp's deliveries, behind API Gateway, an Application Load
//! Balancer or a Function URL.
//!
//! Run with [Cargo Lambda](https://www.cargo-lambda.info) and a Redis, and send a delivery:
//!
//! ```sh
//! SCRUPP_WEBHOOK_SECRET=topsecret REDIS_URL=redis://127.0.0.1 cargo lambda watch -p example-lambda &
//! body='{"event":"task.completed","process_id":6666,"status":"completed"}'
//! time=$(date +%s)
//! mac=$(printf '%s.%s' "$time" "$body" | openssl dgst -sha256 -hmac topsecret | sed 's/.* //')
//! curl -i http://127.0.0.1:9000/lambda-url/example-lambda/webhooks/scrupp \
//!     -H "X-Scrupp-Timestamp: $time" -H "X-Scrupp-Signature: sha256=$mac" --data-binary "$body"
//! ```
//!
//! `cargo lambda invoke --data-file examples/lambda/events/http.json` sends an event as API Gateway
//! does. The response is 401, because the files in `events` were signed in 2024.
//!
//! An event that was handled is not handled again. Each instance of a function has its own memory, and
//! a retry can reach another instance. So the claims are in the Redis at `REDIS_URL`, `redis://host` or
//! `rediss://host` (TLS), which all instances share.
//!
//! # In front of the function
//!
//! `lambda_http` decodes a Base64 body, so the signature is verified over the bytes that Scrupp sent.
//!
//! | service | path | repeated header |
//! |---|---|---|
//! | REST API | with `AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH=true`, without the stage | the last one counts |
//! | HTTP API | use the stage `$default`: any other is a part of the path | rejected |
//! | Function URL | as sent | rejected |
//! | load balancer | as sent | the last one counts |
//! | load balancer with multi-value headers | as sent | rejected |
//!
//! A function that exceeds its time-out is killed, and its claim expires after 60 s. So set a time-out of
//! less than 60 s. Otherwise a retry can run the handler at the same time.

mod deliveries;
#[expect(dead_code, reason = "a function listens on no address")]
mod environment;
mod errors;
mod secrets;

use std::{error::Error, io, process::ExitCode};

use axum::{
    Json, Router,
    routing::{get, post},
};
use scrupp_verify_redis::RedisStore;
use scrupp_verify_tower::{ScruppEvent, ScruppVerify};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    // If standard error cannot be written, printing that there would panic.
    log.log_internal_errors(false).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let keyring = secrets::keyring()?;
    let url = environment::text("REDIS_URL")?.ok_or("REDIS_URL is not set")?;
    let store = RedisStore::new(&url);
    let store = store.map_err(|error| format!("REDIS_URL: {}", errors::with_causes(&error)))?;
    let verify = ScruppVerify::new(keyring).dedup(store);
    let app = Router::new()
        .route("/webhooks/scrupp", post(delivered).layer(verify))
        .route("/healthz", get(|| async {}))
        .route("/deliveries", get(|| async { Json(deliveries::all()) }))
        // Applies the layer to its handler once, and not for each request.
        .with_state(());
    lambda_http::run(app).await.map_err(|error| error as _)
}

/// Handles each event once, and only if Scrupp signed it.
async fn delivered(ScruppEvent(event): ScruppEvent) {
    deliveries::add(event);
}

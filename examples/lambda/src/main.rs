//! An AWS Lambda function that verifies Scrupp's webhooks, behind API Gateway, an Application Load
//! Balancer or a Function URL.
//!
//! Run with [Cargo Lambda](https://www.cargo-lambda.info) and Redis, then send a delivery:
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
//! `cargo lambda invoke --data-file examples/lambda/events/http.json` sends an event in the format of API
//! Gateway. The response is 401, because the files in `events` have timestamps from 2024.
//!
//! `REDIS_URL` is `redis://host` or `rediss://host` (TLS). The claims are in Redis, because the instances
//! of a function share no memory, and a retry can reach another instance.
//!
//! Set a function timeout of less than 60 s, the lease of a claim. If the handler runs longer, a retry can
//! run the handler at the same time.
//!
//! # API Gateway and load balancers
//!
//! `lambda_http` decodes Base64 bodies, so the signature is verified over the bytes that Scrupp sent.
//!
//! The service determines the path that the function receives, and the handling of repeated headers:
//!
//! | service | path | repeated header |
//! |---|---|---|
//! | REST API | without the stage, if `AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH=true` is set | last value used |
//! | HTTP API | includes the stage, unless the stage is `$default` | rejected |
//! | Function URL | as sent | rejected |
//! | load balancer | as sent | last value used |
//! | load balancer with multi-value headers | as sent | rejected |

mod deliveries;
#[expect(dead_code, reason = "a function does not listen on an address")]
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
    // Otherwise the subscriber reports a failed write to standard error with `eprintln!`, which panics.
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
        // Applies the layer once. Otherwise axum applies it again for each request.
        .with_state(());
    lambda_http::run(app).await.map_err(|error| error as _)
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
async fn delivered(ScruppEvent(event): ScruppEvent) {
    deliveries::add(event);
}

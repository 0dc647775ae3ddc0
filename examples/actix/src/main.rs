//! A server that verifies Scrupp's webhooks with actix-web.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-actix`, then send a delivery:
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
//!
//! With `METRICS_BIND=127.0.0.1:9464`, the server exposes metrics to Prometheus at
//! `http://127.0.0.1:9464/metrics`, without authentication.

mod deliveries;
mod environment;
mod errors;
mod metrics;
mod secrets;

use std::{error::Error, io, process::ExitCode, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer, Responder, Route,
    guard::{Any, Get, Head},
    web,
};
use scrupp_verify_actix::{ScruppEvent, ScruppVerify, dedup::MemoryStore};

#[actix_web::main]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    // Otherwise the subscriber reports a failed write to standard error with `eprintln!`, which panics.
    log.log_internal_errors(false).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = environment::bind()?;
    // All workers share this store, because clones of the middleware share it.
    let mut verify = ScruppVerify::new(secrets::keyring()?).dedup(MemoryStore::default());
    if let Some(observer) = metrics::observer()? {
        verify = verify.observe(observer);
    }
    let app = move || {
        let webhook = web::resource("/webhooks/scrupp").wrap(verify.clone());
        let webhook = webhook.route(web::post().to(delivered));
        let deliveries = async || web::Json(deliveries::all());
        App::new()
            .service(webhook)
            .service(web::resource("/healthz").route(get().to(HttpResponse::Ok)))
            .service(web::resource("/deliveries").route(get().to(deliveries)))
    };
    // Limits the head of a request only. `ScruppVerify` limits the body.
    let server = HttpServer::new(app).client_request_timeout(Duration::from_secs(10));
    // HTTP/2 flow-control windows, in bytes: one request, then all requests of a connection.
    let server = server.h2_initial_window_size(64 * 1024);
    let server = server.h2_initial_connection_window_size(128 * 1024);
    // Per worker. Further connections wait in the queue of the operating system.
    let server = server.max_connections(8192);
    let server = server.bind_auto_h2c(&bind.address);
    let server = server.map_err(|error| format!("{}: {error}", bind.setting))?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    Ok(server.run().await?)
}

/// Returns a route for `GET` and `HEAD`. `web::get` matches `GET` only.
fn get() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
async fn delivered(ScruppEvent(event): ScruppEvent) -> impl Responder {
    deliveries::add(event);
    HttpResponse::Ok()
}

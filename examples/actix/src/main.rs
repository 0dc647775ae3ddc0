//! A server that receives Scrupp's deliveries, with actix-web.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-actix`, and send a delivery:
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
    // If standard error cannot be written, printing that there would panic.
    log.log_internal_errors(false).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = environment::bind()?;
    // One store for all workers: the middleware's clones share it.
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
    // Time for a request's head to arrive. The body has its own limit in `ScruppVerify`.
    let server = HttpServer::new(app).client_request_timeout(Duration::from_secs(10));
    // Bytes of HTTP/2 requests that a client may send before the handlers read them.
    let server = server.h2_initial_window_size(64 * 1024);
    let server = server.h2_initial_connection_window_size(128 * 1024);
    // Connections of each worker. Further ones wait in the operating system's queue.
    let server = server.max_connections(8192);
    let server = server.bind_auto_h2c(&bind.address);
    let server = server.map_err(|error| format!("{}: {error}", bind.setting))?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    Ok(server.run().await?)
}

/// Creates a route for `GET` and `HEAD`, which `web::get` does not include.
fn get() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

/// Handles each event once, and only if Scrupp signed it.
async fn delivered(ScruppEvent(event): ScruppEvent) -> impl Responder {
    deliveries::add(event);
    HttpResponse::Ok()
}

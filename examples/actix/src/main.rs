//! A server that takes Scrupp's deliveries, with actix-web.
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

use std::{error::Error, io, process, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, Responder, web};
use example_support::{deliveries, settings};
use scrupp_verify_actix::{ScruppEvent, ScruppVerify, dedup::MemoryStore};

#[actix_web::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    if let Err(error) = run().await {
        eprintln!("{error}");
        process::exit(2);
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    // One store for all workers: the middleware's clones share it.
    let verify = ScruppVerify::new(settings::keyring()?).dedup(MemoryStore::default());
    let app = move || {
        let webhook = web::resource("/webhooks/scrupp").wrap(verify.clone());
        let webhook = webhook.route(web::post().to(delivered));
        let deliveries = async || web::Json(deliveries::all());
        App::new()
            .service(webhook)
            .route("/healthz", web::get().to(HttpResponse::Ok))
            .route("/deliveries", web::get().to(deliveries))
    };
    // How long a request's head may take; the body has its own limit in `ScruppVerify`.
    let server = HttpServer::new(app).client_request_timeout(Duration::from_secs(10));
    // How many bytes of HTTP/2 requests a client may send ahead of what the handlers read.
    let server = server.h2_initial_window_size(64 * 1024);
    let server = server.h2_initial_connection_window_size(128 * 1024);
    // A client that hangs up ends its handler, so that its next attempt gets through at once.
    let server = server.h1_allow_half_closed(false);
    let bind = settings::bind();
    let server = server.bind_auto_h2c(&bind);
    let server = server.map_err(|error| format!("BIND={bind}: {error}"))?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    Ok(server.run().await?)
}

/// Runs only on what Scrupp sent, and once for each event.
async fn delivered(ScruppEvent(event): ScruppEvent) -> impl Responder {
    deliveries::add(event);
    HttpResponse::Ok()
}

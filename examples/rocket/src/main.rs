//! A server that receives Scrupp's deliveries, with Rocket.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-rocket`, and send a delivery:
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
//! Rocket limits neither the number of connections, nor the time for a head and the first bytes of a body:
//! put a proxy in front that does.

mod deliveries;
mod environment;
mod errors;
mod secrets;

use std::{collections::VecDeque, error::Error, io, net::SocketAddr, process::ExitCode};

use example_rocket::{Delivery, ScruppVerify};
use rocket::{
    Config, Request, Responder, catch, catchers,
    config::LogLevel,
    error::ErrorKind,
    fairing::AdHoc,
    get,
    http::{Header, Status},
    post, routes,
    serde::json::Json,
};
use scrupp_verify_core::{
    dedup::{DeliveryId, MemoryStore},
    events::Event,
};
use tokio::net::lookup_host;

// Not `rocket::main`, which takes settings from a file in the working directory.
#[tokio::main]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    // If standard error cannot be written, printing that there would panic.
    log.log_internal_errors(false).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = environment::bind()?;
    let verify = ScruppVerify::new(secrets::keyring()?, MemoryStore::default());
    let addresses = lookup_host(&bind.address).await;
    let address =
        addresses.and_then(|mut found| found.next().ok_or(io::ErrorKind::NotFound.into()));
    let address = address.map_err(|error| format!("{}: {error}", bind.setting))?;
    let mut config = Config::release_default();
    (config.address, config.port) = (address.ip(), address.port());
    // Seconds for the last requests, after a signal.
    config.shutdown.grace = 20;
    // Rocket's own log, on standard output, shows what clients send.
    config.log_level = LogLevel::Off;
    let listening = AdHoc::on_liftoff("listening", |rocket| {
        let Config { address, port, .. } = *rocket.config();
        println!("listening on http://{}", SocketAddr::new(address, port));
        Box::pin(async {})
    });
    let rocket = rocket::custom(config).attach(verify).attach(listening);
    let rocket = rocket.mount("/", routes![delivered, healthz, handled]);
    let served = rocket.register("/", catchers![not_found]).launch().await;
    match served.as_ref().map_err(rocket::Error::kind) {
        // Requests that are still running are dropped.
        Ok(_) | Err(ErrorKind::Shutdown(..)) => Ok(()),
        Err(ErrorKind::Bind(error)) => Err(format!("{}: {error}", bind.setting).into()),
        Err(error) => Err(error.to_string().into()),
    }
}

/// Handles each event once, and only if Scrupp signed it.
#[post("/webhooks/scrupp", data = "<delivery>")]
fn delivered(delivery: Delivery) -> Status {
    match Event::parse(&delivery.0) {
        Ok(event) => {
            deliveries::add(event);
            Status::Ok
        }
        Err(error) => {
            let delivery_id = DeliveryId::new(&delivery.0);
            tracing::warn!(%delivery_id, %error, "a verified delivery is not an event");
            Status::UnprocessableEntity
        }
    }
}

#[get("/healthz")]
fn healthz() {}

#[get("/deliveries")]
fn handled() -> Json<VecDeque<Event>> {
    Json(deliveries::all())
}

/// Responds with 405 if a path is that of a route with another method, where Rocket has 404.
#[catch(404)]
fn not_found(request: &Request<'_>) -> Result<NotAllowed, (Status, ())> {
    let methods = match request.uri().path().as_str() {
        "/webhooks/scrupp" => "POST",
        "/healthz" | "/deliveries" => "GET, HEAD",
        _ => return Err((Status::NotFound, ())),
    };
    Ok(NotAllowed((), Header::new("Allow", methods)))
}

#[derive(Responder)]
#[response(status = 405)]
struct NotAllowed((), Header<'static>);

//! A server that verifies Scrupp's webhooks with Rocket.
//!
//! Run with `SCRUPP_WEBHOOK_SECRET=topsecret cargo run -p example-rocket`, then send a delivery:
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
//! Put a proxy in front of the server. Rocket does not limit the number of connections, the time for the
//! head of a request, or the time for the first 14 bytes of its body.

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

// `rocket::main` would read settings from `Rocket.toml` in the working directory.
#[tokio::main]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    // Otherwise the subscriber reports a failed write to standard error with `eprintln!`, which panics.
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
    // Seconds for running requests to complete after a signal.
    config.shutdown.grace = 20;
    // Rocket's own log goes to standard output, and may contain bytes of a request.
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
        // The grace period has passed. Rocket drops requests that are still running.
        Ok(_) | Err(ErrorKind::Shutdown(..)) => Ok(()),
        Err(ErrorKind::Bind(error)) => Err(format!("{}: {error}", bind.setting).into()),
        Err(error) => Err(error.to_string().into()),
    }
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
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

/// Responds with 405 if the path exists with another method. Rocket's default is 404.
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

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

use std::{
    collections::VecDeque,
    env,
    error::Error,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use scrupp_verify_tower::{
    Keyring, ScruppEvent, ScruppVerify, Secret, dedup::MemoryStore, events::Event,
};
use tokio::{net::TcpListener, signal};

/// The last events that came, for `/deliveries`. A real service does something with them.
type Deliveries = Arc<Mutex<VecDeque<Event>>>;
const KEPT: usize = 1000;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().init();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let bind = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".into());
    let verify = ScruppVerify::new(keyring()?).dedup(MemoryStore::default());

    let app = Router::new()
        .route("/webhooks/scrupp", post(delivered).layer(verify))
        .route("/healthz", get(|| async {}))
        .route("/deliveries", get(deliveries))
        .with_state(Deliveries::default());

    let listener = TcpListener::bind(&bind).await;
    let listener = listener.map_err(|error| format!("BIND={bind}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(stopped())
        .await?;
    Ok(())
}

/// Runs only on what Scrupp sent, once for each event.
async fn delivered(State(deliveries): State<Deliveries>, ScruppEvent(event): ScruppEvent) {
    let mut deliveries = deliveries.lock().unwrap_or_else(PoisonError::into_inner);
    if deliveries.len() == KEPT {
        deliveries.pop_front();
    }
    deliveries.push_back(event);
}

async fn deliveries(State(deliveries): State<Deliveries>) -> Json<VecDeque<Event>> {
    Json(
        deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone(),
    )
}

/// The current secret and, while it is being replaced, the previous one.
fn keyring() -> Result<Keyring, Box<dyn Error>> {
    let names = ["SCRUPP_WEBHOOK_SECRET", "SCRUPP_WEBHOOK_SECRET_PREVIOUS"];
    let mut secrets = Vec::new();
    for name in names {
        match env::var(name) {
            Ok(secret) => {
                secrets.push(Secret::new(secret).map_err(|error| format!("{name}: {error}"))?)
            }
            Err(error) if secrets.is_empty() => return Err(format!("{name}: {error}").into()),
            Err(_) => {}
        }
    }
    Ok(Keyring::new(secrets)?)
}

async fn stopped() {
    let mut terminate =
        signal::unix::signal(signal::unix::SignalKind::terminate()).expect("a signal handler");
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

//! A server whose secrets are replaced while it runs: each line of a file is one, the current
//! secret first.
//!
//! Run with `SCRUPP_SECRETS_FILE=secrets.txt cargo run -p example-rotation`, and send a delivery:
//!
//! ```sh
//! body='{"event":"task.completed","process_id":6666,"status":"completed"}'
//! time=$(date +%s)
//! mac=$(printf '%s.%s' "$time" "$body" | openssl dgst -sha256 -hmac topsecret | sed 's/.* //')
//! curl -i http://127.0.0.1:3000/webhooks/scrupp -H "X-Scrupp-Timestamp: $time" \
//!     -H "X-Scrupp-Signature: sha256=$mac" --data-binary "$body"
//! ```
//!
//! The address is `BIND`, by default `127.0.0.1:3000`. If only `PORT` is set, as in a container, the
//! server listens on all interfaces (`0.0.0.0`).
//!
//! To replace a secret, write a new file with the new secret before the old one, and rename it to
//! `secrets.txt`. Once the log shows no delivery with `secret_index=1` any more, remove the old one.

mod environment;
mod errors;
mod serve;

use core::time::Duration;
use std::{error::Error, io, process::ExitCode, time::SystemTime};

use axum::{
    Router,
    routing::{get, post},
};
use hyper_util::service::TowerToHyperService;
use scrupp_verify_tower::{
    Keyring, ScruppEvent, ScruppVerify, Secret, SharedKeyring, dedup::MemoryStore,
};
use tokio::{fs, time::interval};

#[tokio::main]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    // If standard error cannot be written, printing that there would panic.
    log.log_internal_errors(false).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = environment::bind()?;
    let path = environment::text("SCRUPP_SECRETS_FILE")?;
    let path = path.ok_or("SCRUPP_SECRETS_FILE is not set")?;
    let read_at = modified(&path).await;
    let keyring = SharedKeyring::from(read(&path).await?);
    tokio::spawn(watch(path, read_at, keyring.clone()));

    let verify = ScruppVerify::new(keyring).dedup(MemoryStore::default());
    let app = Router::new()
        .route("/webhooks/scrupp", post(delivered).layer(verify))
        .route("/healthz", get(|| async {}))
        .with_state(());
    let served = serve::until_stopped(&bind.address, TowerToHyperService::new(app)).await;
    served.map_err(|error| format!("{}: {error}", bind.setting).into())
}

/// Handles each event once, and only if Scrupp signed it.
async fn delivered(ScruppEvent(event): ScruppEvent) {
    tracing::info!(
        name = event.name(),
        process_id = event.process_id(),
        "handled"
    );
}

/// Replaces the keyring within a second after the file changed. If the file cannot be read or has a
/// secret that is not valid, keeps the keyring and logs the reason.
async fn watch(path: String, mut read_at: Option<SystemTime>, keyring: SharedKeyring) {
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        let changed_at = modified(&path).await;
        if changed_at == read_at {
            continue;
        }
        read_at = changed_at;
        match read(&path).await {
            Ok(secrets) => {
                keyring.replace(secrets);
                tracing::info!("the secrets were replaced");
            }
            Err(error) => tracing::error!(%error, "the secrets were not replaced"),
        }
    }
}

async fn modified(path: &str) -> Option<SystemTime> {
    fs::metadata(path).await.ok()?.modified().ok()
}

async fn read(path: &str) -> Result<Keyring, String> {
    let named = |error: &dyn Error| format!("SCRUPP_SECRETS_FILE={path}: {error}");
    let text = fs::read_to_string(path).await.map_err(|why| named(&why))?;
    let secrets: Result<Vec<_>, _> = text.lines().map(Secret::new).collect();
    Keyring::new(secrets.map_err(|why| named(&why))?).map_err(|why| named(&why))
}

//! A server that replaces its webhook secrets without a restart when a file changes.
//!
//! Run with `SCRUPP_SECRETS_FILE=secrets.txt cargo run -p example-rotation`. Each line of the file is a
//! secret, the current one first. If the file contains `topsecret`, send a delivery:
//!
//! ```sh
//! body='{"event":"task.completed","process_id":6666,"status":"completed"}'
//! time=$(date +%s)
//! mac=$(printf '%s.%s' "$time" "$body" | openssl dgst -sha256 -hmac topsecret | sed 's/.* //')
//! curl -i http://127.0.0.1:3000/webhooks/scrupp -H "X-Scrupp-Timestamp: $time" \
//!     -H "X-Scrupp-Signature: sha256=$mac" --data-binary "$body"
//! ```
//!
//! The server listens on `BIND`, by default `127.0.0.1:3000`. If only `PORT` is set, the server listens
//! on that port on all interfaces (`0.0.0.0`).
//!
//! To rotate, write the new and the old secret to a new file, and rename that file to `secrets.txt`. When
//! the log shows no more deliveries with `secret_index=1`, remove the old secret.

mod environment;
mod errors;
mod serve;

use core::{fmt::Display, hash::BuildHasher, time::Duration};
use std::{error::Error, hash::RandomState, io, process::ExitCode};

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
    // Otherwise the subscriber reports a failed write to standard error with `eprintln!`, which panics.
    log.log_internal_errors(false).init();
    errors::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let bind = environment::bind()?;
    let path = environment::text("SCRUPP_SECRETS_FILE")?;
    let path = path.ok_or("SCRUPP_SECRETS_FILE is not set")?;
    let text = read(&path).await;
    let hasher = RandomState::new();
    let hash = hasher.hash_one(&text);
    let keyring = SharedKeyring::from(parse(&path, &text?)?);
    tokio::spawn(watch(path, hasher, hash, keyring.clone()));

    let verify = ScruppVerify::new(keyring).dedup(MemoryStore::default());
    let app = Router::new()
        .route("/webhooks/scrupp", post(delivered).layer(verify))
        .route("/healthz", get(|| async {}))
        .with_state(());
    let served = serve::until_stopped(&bind.address, TowerToHyperService::new(app)).await;
    served.map_err(|error| format!("{}: {error}", bind.setting).into())
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
async fn delivered(ScruppEvent(event): ScruppEvent) {
    tracing::info!(
        name = event.name(),
        process_id = event.process_id(),
        "handled"
    );
}

/// Replaces the keyring within a second of a change to the file. If the file is unreadable or a secret is
/// invalid, keeps the keyring and logs the error.
///
/// Compares the content, because a new file may have the old modification time. Keeps a hash of the content,
/// not the secrets themselves.
async fn watch(path: String, hasher: RandomState, mut hash: u64, keyring: SharedKeyring) {
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        let text = read(&path).await;
        let new_hash = hasher.hash_one(&text);
        if new_hash == hash {
            continue;
        }
        hash = new_hash;
        match text.and_then(|text| parse(&path, &text)) {
            Ok(secrets) => {
                keyring.replace(secrets);
                tracing::info!("the secrets were replaced");
            }
            Err(error) => tracing::error!(%error, "the secrets were not replaced"),
        }
    }
}

async fn read(path: &str) -> Result<String, String> {
    let text = fs::read_to_string(path).await;
    text.map_err(|error| named(path, error))
}

fn parse(path: &str, text: &str) -> Result<Keyring, String> {
    let secrets: Result<Vec<_>, _> = text.lines().map(Secret::new).collect();
    secrets
        .and_then(Keyring::new)
        .map_err(|error| named(path, error))
}

fn named(path: &str, error: impl Display) -> String {
    format!("SCRUPP_SECRETS_FILE={path}: {error}")
}

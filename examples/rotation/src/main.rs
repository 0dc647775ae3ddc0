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
//! To replace a secret, write a new file with the new secret before the old one, and rename it to
//! `secrets.txt`. Once the log shows no delivery with `secret_index=1` any more, remove the old one.

use core::time::Duration;
use std::{env, error::Error, io, time::SystemTime};

use axum::{Router, routing::post};
use scrupp_verify_tower::{
    Keyring, ScruppEvent, ScruppVerify, Secret, SharedKeyring, dedup::MemoryStore,
};
use tokio::{fs, net::TcpListener, time::interval};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let path = env::var("SCRUPP_SECRETS_FILE")?;
    let bind = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());

    let read_at = modified(&path).await;
    let keyring = SharedKeyring::from(read(&path).await?);
    tokio::spawn(watch(path, read_at, keyring.clone()));

    let verify = ScruppVerify::new(keyring).dedup(MemoryStore::default());
    let app = Router::new().route("/webhooks/scrupp", post(delivered).layer(verify));
    let listener = TcpListener::bind(bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

/// Runs only on what Scrupp sent, and once for each event.
async fn delivered(ScruppEvent(event): ScruppEvent) {
    tracing::info!(
        name = event.name(),
        process_id = event.process_id(),
        "handled"
    );
}

/// Replaces the keyring within a second after the file changed. If the file cannot be read or has a
/// secret that is not valid, the keyring stays, and the log says why.
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

async fn read(path: &str) -> Result<Keyring, Box<dyn Error + Send + Sync>> {
    let text = fs::read_to_string(path).await?;
    let secrets: Result<Vec<_>, _> = text.lines().map(Secret::new).collect();
    Ok(Keyring::new(secrets?)?)
}

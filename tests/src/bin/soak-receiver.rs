//! A receiver for `soak`, whose handlers sometimes fail or hang.
//!
//! The receiver appends lines to the file that `SOAK_LOG` names: `success PID ID` when a handler
//! succeeds, and `commit PID ID RESULT` when a commit ends.

use core::{fmt, time::Duration};
use std::{
    env,
    error::Error,
    fs::{File, OpenOptions},
    io::Write,
    process,
    sync::Arc,
};

use axum::{Extension, Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use scrupp_verify_redis::RedisStore;
use scrupp_verify_sqlx::SqlxStore;
use scrupp_verify_tests::SECRET;
use scrupp_verify_tower::{
    Dedup, ScruppVerify, Secret, VerifiedDelivery,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore},
};
use sqlx::PgPool;
use tokio::{net::TcpListener, time::sleep};

/// Short, so that a retry can soon claim a delivery that a killed process had claimed.
const LEASE: Duration = Duration::from_secs(4);

#[derive(Clone)]
struct Log(Arc<File>);

impl Log {
    /// Appends a line with one write, so lines of several processes do not mix.
    fn line(&self, line: fmt::Arguments<'_>) {
        let _ = (&*self.0).write_all(format!("{line}\n").as_bytes());
    }
}

struct LoggedStore<S> {
    store: S,
    log: Log,
}

impl<S: DeliveryStore + Sync> DeliveryStore for LoggedStore<S> {
    type Error = S::Error;

    async fn claim(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        lease: Duration,
    ) -> Result<Claim, Self::Error> {
        self.store.claim(id, token, lease).await
    }

    async fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> Result<bool, Self::Error> {
        let committed = self.store.commit(id, token, retention).await;
        let result = match &committed {
            Ok(true) => "done",
            Ok(false) => "late",
            Err(_) => "failed",
        };
        self.log
            .line(format_args!("commit {} {id} {result}", process::id()));
        committed
    }

    async fn release(&self, id: DeliveryId, token: ClaimToken) -> Result<(), Self::Error> {
        self.store.release(id, token).await
    }
}

/// Fails one in five deliveries. For one in twenty of the others, takes longer than the sender
/// waits.
async fn handle(
    State(log): State<Log>,
    Extension(delivery): Extension<VerifiedDelivery<Bytes>>,
) -> StatusCode {
    let chance = fastrand::u32(..100);
    if chance < 20 {
        sleep(Duration::from_millis(5)).await;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let work = if chance < 24 {
        2000
    } else {
        fastrand::u64(..40)
    };
    sleep(Duration::from_millis(work)).await;
    let id = DeliveryId::new(&delivery);
    log.line(format_args!("success {} {id}", process::id()));
    StatusCode::OK
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("STORE_URL")?;
    match url.split_once(':').ok_or("no scheme")? {
        ("redis+cluster", hosts) => {
            let hosts = hosts.trim_start_matches('/').split(',');
            let urls = hosts.map(|host| format!("redis://{host}"));
            serve(RedisStore::cluster(urls)?).await
        }
        ("sqlite", path) => {
            let store = SqlxStore::sqlite_file(path);
            store.migrate().await?;
            serve(store).await
        }
        ("postgres", _) => {
            let store = SqlxStore::new(PgPool::connect_lazy(&url)?);
            // The server may have just restarted, and may be busy.
            let mut attempts = 0..20;
            while let Err(error) = store.migrate().await {
                attempts.next().ok_or(error)?;
                sleep(Duration::from_millis(250)).await;
            }
            serve(store).await
        }
        _ => serve(RedisStore::new(&url)?).await,
    }
}

async fn serve<S>(store: S) -> Result<(), Box<dyn Error>>
where
    S: DeliveryStore<Error: Error + Send + Sync> + Send + Sync + 'static,
{
    let log = OpenOptions::new()
        .append(true)
        .open(env::var("SOAK_LOG")?)?;
    let log = Log(Arc::new(log));
    let store = LoggedStore {
        store,
        log: log.clone(),
    };
    let verify = ScruppVerify::new(Secret::new(SECRET)?).dedup(Dedup::new(store).lease(LEASE));
    let app = Router::new().route("/webhooks/scrupp", post(handle).layer(verify));
    let listener = TcpListener::bind(env::var("BIND")?).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.with_state(log)).await?;
    Ok(())
}

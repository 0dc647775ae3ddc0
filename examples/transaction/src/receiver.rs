//! A receiver with axum, on SQLite or PostgreSQL.

use core::{error::Error, net::SocketAddr, sync::atomic::Ordering::Relaxed};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use scrupp_verify_tower::{Dedup, ScruppClaim, ScruppEvent, ScruppVerify, Secret};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{LEASE, SECRET, postgres, sqlite, trouble};

#[derive(Clone)]
pub(crate) enum Tasks {
    Sqlite(sqlite::Tasks),
    Postgres(postgres::Tasks),
}

impl Tasks {
    /// Connects to PostgreSQL by its URL, or opens a SQLite file by its path.
    pub(crate) async fn open(database: &str) -> Result<Self, Box<dyn Error>> {
        Ok(match database.starts_with("postgres") {
            true => Self::Postgres(postgres::Tasks::open(database).await?),
            false => Self::Sqlite(sqlite::Tasks::open(database).await?),
        })
    }

    fn dedup(&self) -> Dedup {
        match self {
            Self::Sqlite(tasks) => tasks.store.clone().into(),
            Self::Postgres(tasks) => tasks.store.clone().into(),
        }
    }

    /// Returns the number of tasks with this id.
    pub(crate) async fn count(&self, process_id: i64) -> Result<i64, sqlx::Error> {
        match self {
            Self::Sqlite(tasks) => tasks.count(process_id).await,
            Self::Postgres(tasks) => tasks.count(process_id).await,
        }
    }
}

/// Starts a receiver, and returns its address and its task.
pub(crate) async fn start(tasks: &Tasks) -> Result<(SocketAddr, JoinHandle<()>), Box<dyn Error>> {
    let verify = ScruppVerify::new(Secret::new(SECRET)?).dedup(tasks.dedup().lease(LEASE));
    let app = Router::new()
        .route("/webhooks/scrupp", post(delivered))
        .layer(verify)
        .with_state(tasks.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async { axum::serve(listener, app).await.unwrap_or_default() });
    Ok((address, server))
}

/// Adds a task for each event. Runs only for verified deliveries.
async fn delivered(
    State(tasks): State<Tasks>,
    ScruppClaim(claimed): ScruppClaim,
    ScruppEvent(event): ScruppEvent,
) -> StatusCode {
    let process_id = event.process_id().unwrap_or_default().cast_signed();
    let fails = trouble::at_first(process_id).await;
    let added = match tasks {
        Tasks::Sqlite(tasks) => tasks.add(process_id, fails, &claimed).await,
        Tasks::Postgres(tasks) => tasks.add(process_id, fails, &claimed).await,
    };
    trouble::RUNS.fetch_add(1, Relaxed);
    match added {
        Ok(true) => StatusCode::OK,
        Ok(false) => StatusCode::SERVICE_UNAVAILABLE,
        Err(error) => {
            eprintln!("{error}");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

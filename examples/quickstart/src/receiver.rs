//! A receiver with axum, on a free port.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use scrupp_verify_tower::{ScruppEvent, ScruppVerify, Secret, dedup::MemoryStore};
use tokio::net::TcpListener;

use crate::cases::{CURRENT_SECRET, FAILS_AT_FIRST, PREVIOUS_SECRET};

pub(crate) struct Receiver {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self, Box<dyn Error>> {
        let secrets = [Secret::new(CURRENT_SECRET)?, Secret::new(PREVIOUS_SECRET)?];
        let verify = ScruppVerify::new(secrets).dedup(MemoryStore::default());

        let calls = Arc::new(AtomicUsize::new(0));
        let app = Router::new()
            .route("/webhooks/scrupp", post(delivered))
            .layer(verify)
            .with_state(Arc::clone(&calls));

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async { axum::serve(listener, app).await });
        Ok(Self { address, calls })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of handler runs.
    pub(crate) fn handled(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Runs only for verified deliveries. After a 2xx, duplicates do not run the handler again.
async fn delivered(
    State(calls): State<Arc<AtomicUsize>>,
    ScruppEvent(event): ScruppEvent,
) -> StatusCode {
    static HAS_FAILED: AtomicBool = AtomicBool::new(false);
    calls.fetch_add(1, Ordering::Relaxed);
    let fails = event.process_id() == Some(FAILS_AT_FIRST);
    if fails && !HAS_FAILED.swap(true, Ordering::Relaxed) {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    StatusCode::OK
}

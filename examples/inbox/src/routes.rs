use core::time::Duration;

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use scrupp_verify_tower::{ScruppVerify, VerifiedDelivery};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    errors::with_causes,
    inbox::{Error, Inbox},
};

/// Time limit of a response. Scrupp waits only a few seconds.
const RESPOND_WITHIN: Duration = Duration::from_secs(4);

/// Time limit of a health check.
const HEALTHY_WITHIN: Duration = Duration::from_secs(2);

pub(crate) fn router(inbox: Inbox, verify: ScruppVerify) -> Router {
    Router::new()
        .route("/webhooks/scrupp", post(delivered).layer(verify))
        .route("/healthz", get(healthy))
        .route("/deliveries", get(deliveries))
        .route("/results/{process_id}", get(result))
        .with_state(inbox)
}

/// Responds with 200 if this or an earlier attempt committed the delivery. Otherwise responds with 503, and
/// Scrupp retries.
async fn delivered(
    State(inbox): State<Inbox>,
    Extension(delivery): Extension<VerifiedDelivery<Bytes>>,
) -> Result<(), StatusCode> {
    within(RESPOND_WITHIN, inbox.add(&delivery)).await
}

/// Responds with 200 if the database is writable, otherwise with 503.
async fn healthy(State(inbox): State<Inbox>) -> Result<(), StatusCode> {
    within(HEALTHY_WITHIN, inbox.check()).await
}

async fn deliveries(State(inbox): State<Inbox>) -> Result<Json<Vec<Value>>, StatusCode> {
    let entries = within(RESPOND_WITHIN, inbox.latest()).await?;
    Ok(Json(entries.iter().map(|entry| entry.to_json()).collect()))
}

/// Responds with 200 and the stored result. If the result has not been fetched yet, responds with 202. Otherwise
/// responds with 404.
async fn result(
    State(inbox): State<Inbox>,
    Path(process_id): Path<u64>,
) -> Result<Response, StatusCode> {
    let found = within(RESPOND_WITHIN, inbox.of_task(process_id)).await?;
    let mut entry = found.ok_or(StatusCode::NOT_FOUND)?;
    if let Some(result) = entry.result.take() {
        return Ok(([(CONTENT_TYPE, "application/json")], result).into_response());
    }
    let status = match entry.is_waiting() {
        true => StatusCode::ACCEPTED,
        false => StatusCode::NOT_FOUND,
    };
    Ok((status, Json(entry.to_json())).into_response())
}

/// Runs a database operation. Returns 503 if the operation fails or exceeds the time limit.
async fn within<T>(
    limit: Duration,
    operation: impl Future<Output = Result<T, Error>>,
) -> Result<T, StatusCode> {
    let ended = timeout(limit, operation).await;
    let ended = ended.unwrap_or_else(|late| Err(late.into()));
    ended.map_err(|error| {
        tracing::error!(error = with_causes(&*error), "database");
        StatusCode::SERVICE_UNAVAILABLE
    })
}

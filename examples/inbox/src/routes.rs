use core::time::Duration;

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use scrupp_verify_tower::{ScruppEvent, ScruppVerify, VerifiedDelivery};
use tokio::time::timeout;

use crate::inbox::Inbox;

/// Scrupp waits for a few seconds only.
const RESPOND_WITHIN: Duration = Duration::from_secs(4);

pub(crate) fn router(inbox: Inbox, verify: ScruppVerify) -> Router {
    Router::new()
        .route("/webhooks/scrupp", post(delivered).layer(verify))
        .route("/healthz", get(|| async {}))
        .route("/deliveries", get(deliveries))
        .route("/results/{process_id}", get(result))
        .with_state(inbox)
}

/// 200 once the delivery is in the database, also if it has been there before; 503 otherwise, so
/// that Scrupp tries again.
async fn delivered(
    State(inbox): State<Inbox>,
    Extension(delivery): Extension<VerifiedDelivery<Bytes>>,
    ScruppEvent(event): ScruppEvent,
) -> StatusCode {
    match timeout(RESPOND_WITHIN, inbox.add(&delivery, &event)).await {
        Ok(Ok(())) => StatusCode::OK,
        Ok(Err(error)) => unavailable(&error),
        Err(late) => unavailable(&late),
    }
}

async fn deliveries(State(inbox): State<Inbox>) -> Response {
    match inbox.latest().await {
        Ok(entries) => {
            let entries = entries.iter().map(|entry| entry.to_json());
            Json(entries.collect::<Vec<_>>()).into_response()
        }
        Err(error) => unavailable(&error).into_response(),
    }
}

/// 200 with the result as Scrupp gave it, 202 while it is to be fetched, 404 where there is none.
async fn result(State(inbox): State<Inbox>, Path(process_id): Path<u64>) -> Response {
    match inbox.of_task(process_id).await {
        Ok(Some((_, Some(result)))) => {
            ([(CONTENT_TYPE, "application/json")], result).into_response()
        }
        Ok(Some((entry, None))) => {
            let status = match entry.is_waiting() {
                true => StatusCode::ACCEPTED,
                false => StatusCode::NOT_FOUND,
            };
            (status, Json(entry.to_json())).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => unavailable(&error).into_response(),
    }
}

fn unavailable(error: &(dyn core::error::Error + 'static)) -> StatusCode {
    tracing::error!(error, "the database");
    StatusCode::SERVICE_UNAVAILABLE
}

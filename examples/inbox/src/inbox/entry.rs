use scrupp_verify_tower::events::{Event, Status};
use serde_json::{Value, json};
use sqlx::{Error, Row, any::AnyRow};

/// How a delivery stands.
#[derive(Debug)]
pub(crate) struct Entry {
    event: Event,
    attempts: i64,
    error: Option<String>,
    due_at: Option<i64>,
    stored: i64,
}

impl Entry {
    pub(super) fn from_row(row: &AnyRow) -> Result<Self, Error> {
        let event = Event::from_json(row.try_get::<String, _>("body")?.as_bytes());
        Ok(Self {
            event: event.map_err(|error| Error::Decode(error.into()))?,
            attempts: row.try_get("attempts")?,
            error: row.try_get("error")?,
            due_at: row.try_get("due_at")?,
            stored: row.try_get("stored")?,
        })
    }

    /// Whether the result is still to be fetched.
    pub(crate) fn is_waiting(&self) -> bool {
        self.due_at.is_some()
    }

    pub(crate) fn to_json(&self) -> Value {
        let state = match (self.stored, self.due_at, &self.error) {
            (1, ..) => "stored",
            (_, Some(_), _) => "waiting",
            (_, None, Some(_)) => "failed",
            (_, None, None) => "no result",
        };
        json!({
            "event": self.event.name(),
            "process_id": self.event.process_id(),
            "status": self.event.status().map(Status::as_str),
            "state": state,
            "attempts": self.attempts,
            "error": self.error,
        })
    }
}

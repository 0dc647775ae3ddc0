use scrupp_verify_tower::events::{Event, EventError, Status};
use serde_json::{Value, json};

use super::{Columns, text};

/// A delivery and the state of its job.
#[derive(Debug)]
pub(crate) struct Entry {
    delivery_id: Option<String>,
    process_id: Option<String>,
    event: Result<Event, EventError>,
    attempts: i64,
    error: Option<String>,
    due_at: Option<i64>,
    is_stored: bool,
    /// The result, if it is stored and was selected.
    pub(crate) result: Option<String>,
}

impl Entry {
    pub(super) fn new(columns: Columns) -> Self {
        let (delivery_id, process_id, body, attempts, due_at, error, is_stored, result) = columns;
        Self {
            delivery_id: delivery_id.map(text),
            process_id: process_id.map(text),
            event: Event::from_json(&body),
            attempts,
            error: error.map(text),
            due_at,
            is_stored,
            result: result.map(text),
        }
    }

    /// Returns true if the result has not been fetched yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.due_at.is_some()
    }

    pub(crate) fn to_json(&self) -> Value {
        let event = self.event.as_ref();
        let unreadable = event.err().map(ToString::to_string);
        let state = match event {
            Err(_) => "unreadable",
            Ok(_) if self.is_stored => "stored",
            Ok(_) if self.is_waiting() => "waiting",
            Ok(_) if self.error.is_some() => "failed",
            Ok(Event::TaskCompleted(_)) => "unknown status",
            Ok(_) => "unknown event",
        };
        let event = event.ok();
        let stored_id = self.process_id.as_ref().and_then(|id| id.parse().ok());
        json!({
            "delivery_id": self.delivery_id,
            "event": event.map(Event::name),
            "process_id": event.and_then(Event::process_id).or(stored_id),
            "status": event.and_then(Event::status).map(Status::as_str),
            "state": state,
            "attempts": self.attempts,
            "error": self.error.clone().or(unreadable),
        })
    }
}

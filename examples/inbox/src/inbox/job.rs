use scrupp_verify_tower::events::{Event, Status, TaskCompleted};

use super::{Columns, text};

/// A job that fetches a result, taken by a worker with a lease.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) delivery_id: String,
    pub(super) token: i64,
    /// True if the job has ended, because all attempts were used.
    pub(crate) is_given_up: bool,
    /// The completed task, or an error if the stored body is not one.
    pub(crate) task: Result<TaskCompleted, String>,
}

impl Job {
    pub(super) fn new(columns: Columns) -> Self {
        let (delivery_id, _, body, attempts, due_at, ..) = columns;
        let task = match Event::from_json(&body) {
            Ok(Event::TaskCompleted(task)) if task.status == Status::Completed => Ok(task),
            Ok(_) => Err("the stored event is not a completed task".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        Self {
            delivery_id: delivery_id.map(text).unwrap_or_default(),
            token: attempts,
            is_given_up: due_at.is_none(),
            task,
        }
    }

    /// Returns the number of this attempt, counted from 1.
    pub(crate) fn attempt(&self) -> u32 {
        u32::try_from(self.token).unwrap_or(u32::MAX)
    }
}

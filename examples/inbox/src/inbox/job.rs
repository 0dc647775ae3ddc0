use scrupp_verify_tower::events::{Event, TaskCompleted};
use sqlx::{Error, Row, any::AnyRow};

/// The job of fetching a result, taken for the time of a lease.
#[derive(Debug)]
pub(crate) struct Job {
    pub(super) delivery_id: String,
    pub(super) token: i64,
    /// The task that has ended.
    pub(crate) task: TaskCompleted,
}

impl Job {
    pub(super) fn from_row(row: &AnyRow) -> Result<Self, Error> {
        match Event::from_json(row.try_get::<String, _>("body")?.as_bytes()) {
            Ok(Event::TaskCompleted(task)) => Ok(Self {
                delivery_id: row.try_get("delivery_id")?,
                token: row.try_get("attempts")?,
                task,
            }),
            Ok(_) => Err(Error::Decode("not the event of a task".into())),
            Err(error) => Err(Error::Decode(error.into())),
        }
    }

    /// Which attempt this is, counted from 1.
    pub(crate) fn attempt(&self) -> u32 {
        u32::try_from(self.token).unwrap_or(u32::MAX)
    }
}

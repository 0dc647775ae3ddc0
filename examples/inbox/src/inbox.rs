mod database;
mod entry;
mod files;
mod job;
mod statements;

use core::time::Duration;
use std::sync::Arc;

use axum::body::Bytes;
use scrupp_verify_tower::{
    VerifiedDelivery,
    dedup::DeliveryId,
    events::{Event, Status},
};
use tokio::sync::Notify;
use tracing::{info, warn};

use self::database::{
    Database,
    Value::{Bytes as Blob, Number, Text},
};
pub(crate) use self::{entry::Entry, job::Job};

/// A table of deliveries. Each row is a delivery, and the job that fetches its result.
///
/// `due_at` is the Unix time in milliseconds from which a worker may take the job: at once, after a pause,
/// or after the lease of the previous worker. If the job has ended, `due_at` is null.
///
/// `attempts` is the number of times that workers took the job. Each worker keeps the value as its token.
/// Only the worker with the current value can end the job.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    database: Database,
    due: Arc<Notify>,
}

pub(crate) type Error = Box<dyn core::error::Error + Send + Sync>;

/// The columns of a [`Job`] or an [`Entry`]: `delivery_id`, `process_id`, `body`, `attempts`, `due_at`,
/// `error`, true if a result is stored, and the result if it was selected.
type Columns = (
    Column,
    Column,
    Vec<u8>,
    i64,
    Option<i64>,
    Column,
    bool,
    Column,
);
type Column = Option<Vec<u8>>;

impl Inbox {
    /// Opens the database, and creates the table if it does not exist.
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        let inbox = Self {
            database: Database::open(url).await?,
            due: Arc::default(),
        };
        // Checks first, because the role may lack the right to create a table.
        if let Err(unchecked) = inbox.check().await {
            let created = inbox.database.run::<()>(statements::TABLE, &[]).await;
            created.map_err(|error| format!("{unchecked}; cannot create the table: {error}"))?;
            let checked = inbox.check().await;
            checked.map_err(|error| format!("the table \"deliveries\" is unusable: {error}"))?;
        }
        Ok(inbox)
    }

    /// Checks that the table is writable.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let checked = self.database.run::<()>(statements::CHECK, &[Blob(b"")]);
        checked.await.map(drop)
    }

    /// Adds a delivery unless it is a duplicate, and commits.
    pub(crate) async fn add(&self, delivery: &VerifiedDelivery<Bytes>) -> Result<(), Error> {
        let delivery_id = DeliveryId::new(delivery).to_string();
        let event = Event::parse(delivery);
        let (pause, error) = match &event {
            Ok(Event::TaskCompleted(task)) if task.status == Status::Completed => (Some(0), None),
            Ok(Event::TaskCompleted(task)) if task.status == Status::Failed => {
                // An error that is not text is kept as JSON.
                let json = task.other.get("error").filter(|json| *json != "null");
                let error = task.error.as_deref().or(json).unwrap_or("the task failed");
                // PostgreSQL rejects text that contains a NUL.
                (None, Some(error.replace('\0', "")))
            }
            Ok(_) => (None, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let process_id = event.as_ref().ok().and_then(Event::process_id);
        let process_id = process_id.map(|id| id.to_string());
        let values = [
            Text(Some(&delivery_id)),
            Text(process_id.as_deref()),
            Blob(delivery.body()),
            Number(pause),
            Text(error.as_deref()),
        ];
        let added = self.database.run::<()>(statements::ADD, &values).await?;
        let is_duplicate = added.is_empty();
        match event {
            _ if is_duplicate => info!(delivery_id, "duplicate"),
            _ if pause.is_some() => self.due.notify_one(),
            Ok(Event::TaskCompleted(task)) if task.status != Status::Failed => {
                warn!(
                    delivery_id,
                    task.process_id, "unknown status: no result is fetched"
                );
            }
            Ok(Event::TaskCompleted(_)) => {}
            Ok(_) => warn!(delivery_id, "unknown event: no result is fetched"),
            Err(error) => warn!(delivery_id, %error, "unreadable: only the body is stored"),
        }
        Ok(())
    }

    /// Takes a job that is due, with a lease. If the job was taken `max_attempts` times before, ends the
    /// job instead.
    pub(crate) async fn take(
        &self,
        lease: Duration,
        max_attempts: u32,
    ) -> Result<Option<Job>, Error> {
        let values = [Number(Some(ms(lease))), Number(Some(max_attempts.into()))];
        let rows = self.database.run(statements::TAKE, &values).await?;
        Ok(rows.into_iter().next().map(Job::new))
    }

    /// Waits until this process adds a delivery with a job. Other processes do not end the wait.
    pub(crate) async fn added(&self) {
        self.due.notified().await;
    }

    /// Ends a job with a result. Like [`postpone`](Self::postpone) and [`give_up`](Self::give_up), has no
    /// effect if another worker has taken the job.
    pub(crate) async fn store(&self, job: &Job, result: String) -> Result<(), Error> {
        self.settle(job, Some(&result), None, None).await
    }

    /// Makes a job due again after a pause.
    pub(crate) async fn postpone(
        &self,
        job: &Job,
        error: String,
        pause: Duration,
    ) -> Result<(), Error> {
        self.settle(job, None, Some(&error), Some(ms(pause))).await
    }

    /// Ends a job without a result.
    pub(crate) async fn give_up(&self, job: &Job, error: String) -> Result<(), Error> {
        self.settle(job, None, Some(&error), None).await
    }

    async fn settle(
        &self,
        job: &Job,
        result: Option<&str>,
        error: Option<&str>,
        pause: Option<i64>,
    ) -> Result<(), Error> {
        let values = [
            Text(Some(&job.delivery_id)),
            Number(Some(job.token)),
            Text(result),
            Text(error),
            Number(pause),
        ];
        let settled = self.database.run::<()>(statements::SETTLE, &values);
        settled.await.map(drop)
    }

    /// Returns the latest 1000 deliveries, oldest first.
    pub(crate) async fn latest(&self) -> Result<Vec<Entry>, Error> {
        let rows = self.database.run(statements::LATEST, &[]).await?;
        Ok(rows.into_iter().rev().map(Entry::new).collect())
    }

    /// Returns the delivery of a task, with the result if it is stored.
    pub(crate) async fn of_task(&self, process_id: u64) -> Result<Option<Entry>, Error> {
        let process_id = process_id.to_string();
        let values = [Text(Some(&process_id))];
        let rows = self.database.run(statements::OF_TASK, &values).await?;
        Ok(rows.into_iter().next().map(Entry::new))
    }
}

/// Converts text that was selected as bytes.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

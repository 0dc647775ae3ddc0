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

/// The deliveries, in a table. A row is a delivery, and the job of fetching its result.
///
/// `due_at` is the time in milliseconds from which the job may be taken: at once, after a pause, or
/// after the lease of its last worker. A job that has ended has none. `attempts` counts how often
/// the job was taken. Its value is also the token of the last worker, which alone can end the job.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    database: Database,
    due: Arc<Notify>,
}

pub(crate) type Error = Box<dyn core::error::Error + Send + Sync>;

/// The columns that a [`Job`] or an [`Entry`] is made of: the delivery's id, the process id, the body,
/// `attempts`, `due_at`, the error, whether there is a result, and the result if it was asked for.
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
    /// Opens the database, and creates the table if there is none.
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        let inbox = Self {
            database: Database::open(url).await?,
            due: Arc::default(),
        };
        // The role may use a table that exists, but not create one.
        if inbox.check().await.is_err() {
            inbox.database.run::<()>(statements::TABLE, &[]).await?;
            let checked = inbox.check().await;
            checked.map_err(|error| format!("the table \"deliveries\" is unusable: {error}"))?;
        }
        Ok(inbox)
    }

    /// Checks that deliveries can be written to the table.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let checked = self.database.run::<()>(statements::CHECK, &[Blob(b"")]);
        checked.await.map(drop)
    }

    /// Adds a delivery, if it is new. After `Ok`, the delivery is committed.
    pub(crate) async fn add(&self, delivery: &VerifiedDelivery<Bytes>) -> Result<(), Error> {
        let delivery_id = DeliveryId::new(delivery).to_string();
        let event = Event::parse(delivery);
        let (pause, error) = match &event {
            Ok(Event::TaskCompleted(task)) if task.status == Status::Completed => (Some(0), None),
            Ok(Event::TaskCompleted(task)) if task.status == Status::Failed => {
                let error = task.error.as_deref().unwrap_or("the task failed");
                // PostgreSQL stores no text with this character.
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

    /// Takes a job that is due, for the time of a lease. A job that was taken `max_attempts` times
    /// before is given up instead.
    pub(crate) async fn take(
        &self,
        lease: Duration,
        max_attempts: u32,
    ) -> Result<Option<Job>, Error> {
        let values = [Number(Some(ms(lease))), Number(Some(max_attempts.into()))];
        let rows = self.database.run(statements::TAKE, &values).await?;
        Ok(rows.into_iter().next().map(Job::new))
    }

    /// Waits until this process has added a delivery. Other processes may add more.
    pub(crate) async fn added(&self) {
        self.due.notified().await;
    }

    /// Ends a job with the result of its task. Like [`postpone`](Self::postpone) and
    /// [`give_up`](Self::give_up), changes nothing if another worker has taken the job.
    pub(crate) async fn store(&self, job: &Job, result: String) -> Result<(), Error> {
        self.settle(job, Some(&result), None, None).await
    }

    /// Puts a job back, to be taken after a pause.
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

    /// Returns the delivery of a task, with the result of the task if it is stored.
    pub(crate) async fn of_task(&self, process_id: u64) -> Result<Option<Entry>, Error> {
        let process_id = process_id.to_string();
        let values = [Text(Some(&process_id))];
        let rows = self.database.run(statements::OF_TASK, &values).await?;
        Ok(rows.into_iter().next().map(Entry::new))
    }
}

/// Reads text that was selected as bytes.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

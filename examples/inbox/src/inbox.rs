mod entry;
mod job;

use core::time::Duration;
use std::{sync::Arc, time::SystemTime};

use axum::body::Bytes;
use scrupp_verify_tower::{
    VerifiedDelivery,
    dedup::DeliveryId,
    events::{Event, Status},
};
use sqlx::{
    Any, AnyPool, AssertSqlSafe, Error, Executor, Row,
    any::{AnyPoolOptions, install_default_drivers},
    pool::PoolOptions,
    query, raw_sql,
};
use tokio::sync::Notify;

pub(crate) use self::{entry::Entry, job::Job};

/// The deliveries, in a table: a row for each, which is the job of fetching its result too.
///
/// `due_at` says when the job may be taken, in milliseconds: at once, after a pause, or when the
/// lease of the one who took it has ended. A job that has come to its end has none. `attempts`
/// is also the token of whoever took it last: nobody else can end the job.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    pool: AnyPool,
    take: &'static str,
    due: Arc<Notify>,
}

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS deliveries (
        delivery_id TEXT PRIMARY KEY,
        process_id TEXT,
        body TEXT NOT NULL,
        received_at BIGINT NOT NULL,
        due_at BIGINT,
        attempts BIGINT NOT NULL,
        error TEXT,
        result TEXT
    );
    CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
    CREATE INDEX IF NOT EXISTS deliveries_process ON deliveries (process_id);
    CREATE INDEX IF NOT EXISTS deliveries_received ON deliveries (received_at);";

const ADD: &str = "
    INSERT INTO deliveries (delivery_id, process_id, body, received_at, due_at, attempts, error)
    VALUES ($1, $2, $3, $4, $5, 0, $6)
    ON CONFLICT (delivery_id) DO NOTHING";

macro_rules! take {
    ($lock:literal) => {
        concat!(
            "UPDATE deliveries SET attempts = attempts + 1, due_at = $2
            WHERE delivery_id = (
                SELECT delivery_id FROM deliveries WHERE due_at <= $1
                ORDER BY due_at LIMIT 1 ",
            $lock,
            ")
            RETURNING delivery_id, attempts, body"
        )
    };
}

const SETTLE: &str = "
    UPDATE deliveries SET result = $3, error = $4, due_at = $5
    WHERE delivery_id = $1 AND attempts = $2 AND due_at IS NOT NULL";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT body, attempts, error, due_at,
                CASE WHEN result IS NULL THEN 0 ELSE 1 END AS stored ",
            $rest
        )
    };
}

const LATEST: &str = select!("FROM deliveries ORDER BY received_at DESC LIMIT 1000");

const OF_TASK: &str = select!(
    ", result FROM deliveries WHERE process_id = $1 ORDER BY stored DESC, received_at DESC LIMIT 1"
);

impl Inbox {
    /// Opens the database, and makes the table where it is missing.
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        install_default_drivers();
        // Longer, and Scrupp would give up on the answer.
        let pool = AnyPoolOptions::new().acquire_timeout(Duration::from_secs(3));
        let (pool, take) = if url.starts_with("sqlite:") {
            (open_sqlite(pool, url).await?, take!(""))
        } else {
            let pool = pool.connect(url).await?;
            // Of several processes that start at the same time, one makes the table.
            let alone = "SELECT pg_advisory_xact_lock(7201948503518261);";
            raw_sql(AssertSqlSafe(format!("{alone}{TABLE}")))
                .execute(&pool)
                .await?;
            (pool, take!("FOR UPDATE SKIP LOCKED"))
        };
        Ok(Self {
            pool,
            take,
            due: Arc::default(),
        })
    }

    /// Keeps a delivery, if it is not there yet. After `Ok` it is there, whatever happens.
    pub(crate) async fn add(
        &self,
        delivery: &VerifiedDelivery<Bytes>,
        event: &Event,
    ) -> Result<(), Error> {
        let body = serde_json::to_string(event).map_err(|error| Error::Encode(error.into()))?;
        let now = now_ms();
        let (due_at, error) = match event {
            Event::TaskCompleted(task) if task.status == Status::Completed => (Some(now), None),
            Event::TaskCompleted(task) if task.status == Status::Failed => {
                let error = task.error.as_deref().unwrap_or("the task failed");
                // PostgreSQL keeps no text with this in it.
                (None, Some(error.replace('\0', "")))
            }
            _ => (None, None),
        };
        query(ADD)
            .bind(DeliveryId::new(delivery).to_string())
            .bind(event.process_id().map(|id| id.to_string()))
            .bind(body)
            .bind(now)
            .bind(due_at)
            .bind(error)
            .execute(&self.pool)
            .await?;
        self.due.notify_one();
        Ok(())
    }

    /// Takes a job that is due, for as long as `lease`.
    pub(crate) async fn take(&self, lease: Duration) -> Result<Option<Job>, Error> {
        let now = now_ms();
        // To the end, and not to the first row: SQLite commits when the statement has ended.
        let rows = query(self.take)
            .bind(now)
            .bind(now.saturating_add(ms(lease)))
            .fetch_all(&self.pool)
            .await?;
        rows.first().map(Job::from_row).transpose()
    }

    /// Comes back when a delivery has been added here; others may have been added elsewhere.
    pub(crate) async fn added(&self) {
        self.due.notified().await;
    }

    /// Ends a job with the result of the task. Like the two below, does nothing where the lease
    /// has ended and another has taken the job.
    pub(crate) async fn store(&self, job: &Job, result: String) -> Result<(), Error> {
        self.settle(job, Some(result), None, None).await
    }

    /// Puts a job back, to be taken after a pause.
    pub(crate) async fn postpone(
        &self,
        job: &Job,
        error: String,
        pause: Duration,
    ) -> Result<(), Error> {
        let due_at = now_ms().saturating_add(ms(pause));
        self.settle(job, None, Some(error), Some(due_at)).await
    }

    /// Ends a job without a result.
    pub(crate) async fn give_up(&self, job: &Job, error: String) -> Result<(), Error> {
        self.settle(job, None, Some(error), None).await
    }

    async fn settle(
        &self,
        job: &Job,
        result: Option<String>,
        error: Option<String>,
        due_at: Option<i64>,
    ) -> Result<(), Error> {
        let settle = query(SETTLE).bind(&job.delivery_id).bind(job.token);
        let settle = settle.bind(result).bind(error).bind(due_at);
        settle.execute(&self.pool).await.map(drop)
    }

    /// The latest deliveries, in the order in which they came.
    pub(crate) async fn latest(&self) -> Result<Vec<Entry>, Error> {
        let rows = query(LATEST).fetch_all(&self.pool).await?;
        rows.iter().rev().map(Entry::from_row).collect()
    }

    /// What came of a task, with its result if it is there.
    pub(crate) async fn of_task(
        &self,
        process_id: u64,
    ) -> Result<Option<(Entry, Option<String>)>, Error> {
        let row = query(OF_TASK).bind(process_id.to_string());
        let row = row.fetch_optional(&self.pool).await?;
        row.map(|row| Ok((Entry::from_row(&row)?, row.try_get("result")?)))
            .transpose()
    }
}

async fn open_sqlite(pool: PoolOptions<Any>, url: &str) -> Result<AnyPool, Error> {
    // WAL: reading and writing do not wait for each other. FULL: a commit is on the disk.
    let pool = pool.after_connect(|connection, _| {
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
        Box::pin(async move { connection.execute(settings).await.map(drop) })
    });
    let pool = match url.contains('?') {
        true => pool.connect(url).await?,
        false => pool.connect(&format!("{url}?mode=rwc")).await?,
    };
    raw_sql(TABLE).execute(&pool).await?;
    Ok(pool)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, ms)
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

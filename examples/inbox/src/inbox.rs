mod entry;
mod files;
mod job;
mod statements;

use core::time::Duration;
use std::{sync::Arc, time::SystemTime};

use axum::body::Bytes;
use scrupp_verify_tower::{
    VerifiedDelivery,
    dedup::DeliveryId,
    events::{Event, Status},
};
use sqlx::{
    Any, AnyConnection, AnyPool, Connection, Row,
    any::{AnyArguments, AnyPoolOptions, AnyRow, install_default_drivers},
    query,
    query::Query,
    query_scalar, raw_sql,
};
use tokio::{sync::Notify, time::timeout};
use tracing::{info, warn};

pub(crate) use self::{entry::Entry, job::Job};
use self::{files::Files, statements::Statements};

/// The deliveries, in a table. A row is a delivery, and the job of fetching its result.
///
/// `due_at` is the time in milliseconds from which the job may be taken: at once, after a pause, or
/// after the lease of its last worker. A job that has ended has none. `attempts` counts how often
/// the job was taken. Its value is also the token of the last worker, which alone can end the job.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    pool: AnyPool,
    statements: &'static Statements,
    files: Option<Arc<Files>>,
    due: Arc<Notify>,
}

pub(crate) type Error = Box<dyn core::error::Error + Send + Sync>;

const IN_MEMORY: &str = "a database in memory forgets every delivery: expected a file";

/// The time limit of a statement, shorter than that of a response.
const STATEMENT_TIMEOUT: Duration = Duration::from_millis(3500);

/// The time limit of a connection that is opened to learn the reason of a failure.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Inbox {
    /// Opens the database, and creates the table if there is none.
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        install_default_drivers();
        // A longer wait would exceed the time that Scrupp waits for a response.
        let pool = AnyPoolOptions::new().acquire_timeout(Duration::from_secs(3));
        let inbox = if url.starts_with("sqlite:") {
            if url.contains(":memory:") {
                return Err(IN_MEMORY.into());
            }
            let parameters = if url.contains('?') { "" } else { "?mode=rwc" };
            let url = format!("{url}{parameters}");
            // The pool would hide the reason of a failure behind a time-out.
            let mut first = AnyConnection::connect(&url).await?;
            set_up_sqlite(&mut first).await?;
            first.close().await?;
            let pool = pool
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        let ready = set_up_sqlite(connection).await;
                        ready.map_err(sqlx::Error::Configuration)
                    })
                })
                // SQLite removes the write-ahead log with the last connection.
                .idle_timeout(None)
                .max_lifetime(None);
            Self::new(pool.connect(&url).await?, &statements::SQLITE)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let pool = match pool.connect(url).await {
                // The pool waits for a server that is starting, but hides why none has started.
                Err(sqlx::Error::PoolTimedOut) => {
                    let again = timeout(CONNECT_TIMEOUT, AnyConnection::connect(url));
                    again.await??;
                    return Err(sqlx::Error::PoolTimedOut.into());
                }
                pool => pool.map_err(explained)?,
            };
            Self::new(pool, &statements::POSTGRES)
        } else {
            return Err("expected a URL that begins with sqlite: or postgres:".into());
        };
        inbox.open_table().await
    }

    fn new(pool: AnyPool, statements: &'static Statements) -> Self {
        Self {
            pool,
            statements,
            files: None,
            due: Arc::default(),
        }
    }

    async fn open_table(mut self) -> Result<Self, Error> {
        // The role may use a table that exists, but not create one.
        if self.check().await.is_err() {
            raw_sql(self.statements.table).execute(&self.pool).await?;
            let checked = self.check().await;
            checked.map_err(|error| format!("the table \"deliveries\" is unusable: {error}"))?;
        }
        if let Some(path) = self.statements.path {
            let path: String = query_scalar(path).fetch_one(&self.pool).await?;
            self.files = Some(Arc::new(Files::open(&path)?));
        }
        Ok(self)
    }

    /// Checks that deliveries can be written to the table.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let check = query(self.statements.check).bind(Vec::new());
        self.run(check).await.map(drop)
    }

    /// Adds a delivery, if it is new. After `Ok`, the delivery is committed.
    pub(crate) async fn add(&self, delivery: &VerifiedDelivery<Bytes>) -> Result<(), Error> {
        let delivery_id = DeliveryId::new(delivery).to_string();
        let now = now_ms();
        let event = Event::parse(delivery);
        let (due_at, error) = match &event {
            Ok(Event::TaskCompleted(task)) if task.status == Status::Completed => (Some(now), None),
            Ok(Event::TaskCompleted(task)) if task.status == Status::Failed => {
                let error = task.error.as_deref().unwrap_or("the task failed");
                // PostgreSQL stores no text with this character.
                (None, Some(error.replace('\0', "")))
            }
            Ok(_) => (None, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let process_id = event.as_ref().ok().and_then(Event::process_id);
        let add = query(self.statements.add)
            .bind(&delivery_id)
            .bind(process_id.map(|id| id.to_string()))
            .bind(delivery.body().to_vec())
            .bind(now)
            .bind(due_at)
            .bind(error);
        let is_duplicate = self.run(add).await?.is_empty();
        match event {
            _ if is_duplicate => info!(delivery_id, "duplicate"),
            _ if due_at.is_some() => self.due.notify_one(),
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
        let now = now_ms();
        let take = query(self.statements.take)
            .bind(now)
            .bind(now.saturating_add(ms(lease)))
            .bind(i64::from(max_attempts));
        let rows = self.run(take).await?;
        Ok(rows.first().map(Job::from_row).transpose()?)
    }

    /// Waits until this process has added a delivery. Other processes may add more.
    pub(crate) async fn added(&self) {
        self.due.notified().await;
    }

    /// Ends a job with the result of its task. Like [`postpone`](Self::postpone) and
    /// [`give_up`](Self::give_up), changes nothing if another worker has taken the job.
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
        let settle = query(self.statements.settle)
            .bind(&job.delivery_id)
            .bind(job.token);
        let settle = settle.bind(result).bind(error).bind(due_at);
        self.run(settle).await.map(drop)
    }

    /// Returns the latest 1000 deliveries, oldest first.
    pub(crate) async fn latest(&self) -> Result<Vec<Entry>, Error> {
        let rows = self.run(query(self.statements.latest)).await?;
        Ok(rows
            .iter()
            .rev()
            .map(Entry::from_row)
            .collect::<Result<_, _>>()?)
    }

    /// Returns the delivery of a task, and the result of the task if it is stored.
    pub(crate) async fn of_task(
        &self,
        process_id: u64,
    ) -> Result<Option<(Entry, Option<String>)>, Error> {
        let of_task = query(self.statements.of_task).bind(process_id.to_string());
        let rows = self.run(of_task).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        Ok(Some((Entry::from_row(row)?, text(row, "result")?)))
    }

    /// Runs a statement, and commits it.
    async fn run(&self, statement: Query<'_, Any, AnyArguments>) -> Result<Vec<AnyRow>, Error> {
        let mut connection = self.pool.acquire().await?;
        if let Some(files) = &self.files {
            // Without an explicit transaction, SQLite commits as the statement ends.
            let rows = timeout(STATEMENT_TIMEOUT, statement.fetch_all(&mut *connection));
            let rows = rows.await??;
            files.check()?;
            return Ok(rows);
        }
        let rows = timeout(
            STATEMENT_TIMEOUT,
            in_transaction(&mut connection, statement),
        );
        let rows = rows.await.unwrap_or_else(|silence| Err(silence.into()));
        if rows.is_err() {
            // The server may never respond, or the transaction may still be open.
            drop(connection.detach());
        }
        rows
    }
}

/// Runs a statement in a transaction of its own.
async fn in_transaction(
    connection: &mut AnyConnection,
    statement: Query<'_, Any, AnyArguments>,
) -> Result<Vec<AnyRow>, Error> {
    // Behind PgBouncer, only the steps of a transaction reach the same server.
    let mut transaction = connection.begin().await?;
    let statement = statement.persistent(false);
    let rows = statement.fetch_all(&mut *transaction).await;
    // A row that was taken counts as taken, even if it cannot be decoded.
    transaction.commit().await?;
    Ok(rows?)
}

/// Makes a commit durable: with a write-ahead log, so that readers do not wait, and with
/// `synchronous = FULL`, so that the log is on the disk.
async fn set_up_sqlite(connection: &mut AnyConnection) -> Result<(), Error> {
    let journal: String = query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(&mut *connection)
        .await?;
    raw_sql("PRAGMA synchronous = FULL")
        .execute(&mut *connection)
        .await?;
    let synchronous: i64 = query_scalar("PRAGMA synchronous")
        .fetch_one(&mut *connection)
        .await?;
    match (journal.as_str(), synchronous) {
        ("wal", 2) => Ok(()),
        ("memory", _) => Err(IN_MEMORY.into()),
        _ => Err(format!(
            "no durable commits: journal_mode = {journal}, synchronous = {synchronous}"
        )
        .into()),
    }
}

/// Adds to the error of PgBouncer, which by default rejects a parameter of the driver, what to do.
fn explained(error: sqlx::Error) -> Error {
    match error.to_string() {
        text if text.contains("unsupported startup parameter") => {
            format!("{text} (in PgBouncer, set ignore_startup_parameters = extra_float_digits)")
                .into()
        }
        _ => error.into(),
    }
}

/// Reads text that was selected as bytes.
fn text(row: &AnyRow, column: &str) -> Result<Option<String>, sqlx::Error> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, ms)
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

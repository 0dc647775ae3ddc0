use core::time::Duration;
use std::path::Path;

use scrupp_verify_core::dedup::{Claim, ClaimToken, Claimed, DeliveryId, DeliveryStore};
use sqlx::{
    AssertSqlSafe, Row, Sqlite, SqliteConnection, query, query_scalar, raw_sql,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    SqlxStore, SqlxStoreError, SqlxStoreErrorKind,
    store::{claimed, lost_if_busy, millis},
    table::check_format,
};

const SCHEMA: &str = include_str!("../schema/sqlite.sql");

/// The current time in milliseconds since 1970. SQLite reads the clock once for each statement.
macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
}

const CLAIM: &str = concat!(
    "INSERT INTO scrupp_deliveries AS d (id, token, expires_at)
     VALUES ($1, $2, ",
    now!(),
    " + $3)
     ON CONFLICT (id) DO UPDATE SET
       token = CASE WHEN d.expires_at <= ",
    now!(),
    " OR d.token = excluded.token THEN excluded.token ELSE d.token END,
       expires_at = CASE WHEN d.expires_at <= ",
    now!(),
    " OR d.token = excluded.token THEN excluded.expires_at ELSE d.expires_at END
     RETURNING token"
);

const COMMIT: &str = concat!(
    "INSERT INTO scrupp_deliveries AS d (id, token, expires_at)
     VALUES ($1, NULL, ",
    now!(),
    " + $3)
     ON CONFLICT (id) DO UPDATE SET token = NULL, expires_at = excluded.expires_at
       WHERE d.token IS NULL OR d.token = $2 OR d.expires_at <= ",
    now!(),
    "
     RETURNING 1"
);

const COMMIT_IN: &str = concat!(
    "UPDATE scrupp_deliveries SET token = NULL, expires_at = ",
    now!(),
    " + $3 WHERE id = $1 AND token = $2 RETURNING 1"
);

const RELEASE: &str = "DELETE FROM scrupp_deliveries WHERE id = $1 AND token = $2";

const PURGE: &str = concat!("DELETE FROM scrupp_deliveries WHERE expires_at <= ", now!());

impl SqlxStore<Sqlite> {
    /// Creates a store in a file. Does no I/O.
    ///
    /// The first operation opens the file, and creates the file if it is missing. The connection has
    /// `journal_mode = WAL` and `synchronous = FULL`, so every acknowledgement is on disk.
    ///
    /// The store has one connection, because SQLite has one writer at a time. An operation waits up to 30 s
    /// for this connection, and 1 s for writers on other connections.
    ///
    /// # Panics
    ///
    /// Panics outside of a Tokio runtime.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use scrupp_verify_sqlx::SqlxStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), scrupp_verify_sqlx::SqlxStoreError> {
    /// let store = SqlxStore::sqlite_file("deliveries.db");
    /// store.migrate().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn sqlite_file(path: impl AsRef<Path>) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(1));
        let pool = SqlitePoolOptions::new().max_connections(1);
        Self::new(pool.connect_lazy_with(options))
    }

    /// Creates the [tables](crate#schema) if they are missing, and checks that this release can use them.
    ///
    /// Also checks the settings of a connection, so that a power failure loses no acknowledgement.
    ///
    /// # Errors
    ///
    /// - [`UnsafeSettings`](SqlxStoreErrorKind::UnsafeSettings) unless the connection has
    ///   `journal_mode = WAL` and `synchronous = FULL`.
    /// - [`FormatTooNew`](SqlxStoreErrorKind::FormatTooNew) if a newer release has changed the table.
    /// - [`ReadOnly`](SqlxStoreErrorKind::ReadOnly) if the file is read-only.
    /// - [`Io`](SqlxStoreErrorKind::Io) if the file was removed or replaced after the first operation.
    /// - Any error of the database.
    pub async fn migrate(&self) -> Result<(), SqlxStoreError> {
        let mut connection = self.pool.acquire().await?;
        self.check_file()?;
        let journal: String = query_scalar("PRAGMA journal_mode")
            .fetch_one(&mut *connection)
            .await?;
        let synchronous: i64 = query_scalar("PRAGMA synchronous")
            .fetch_one(&mut *connection)
            .await?;
        if journal != "wal" || synchronous < 2 {
            return Err(SqlxStoreError::new(SqlxStoreErrorKind::UnsafeSettings));
        }
        let exists = "SELECT count(*) FROM sqlite_master WHERE name = $1";
        let exists: i64 = query_scalar(exists)
            .bind(format!("{}_format", self.table.name()))
            .fetch_one(&mut *connection)
            .await?;
        if exists == 0 {
            let schema = format!("BEGIN IMMEDIATE; {SCHEMA} COMMIT;");
            let schema = AssertSqlSafe(self.table.statement(&schema));
            if let Err(error) = raw_sql(schema).execute(&mut *connection).await {
                let _ = raw_sql("ROLLBACK").execute(&mut *connection).await;
                return Err(error.into());
            }
        }
        let oldest = self.statement("SELECT oldest FROM scrupp_deliveries_format");
        let oldest: i64 = query_scalar(oldest).fetch_one(&mut *connection).await?;
        check_format(oldest)?;
        // Changes no row, but fails on a read-only file.
        let write = self.statement("DELETE FROM scrupp_deliveries WHERE 0");
        let written = query(write).execute(&mut *connection).await;
        match written.map_err(SqlxStoreError::from) {
            // Another connection is writing, so the file is writable.
            Err(error) if error.kind() == SqlxStoreErrorKind::Busy => Ok(()),
            written => written.map(drop),
        }
    }

    /// Acknowledges a delivery in the handler's own [transaction](crate#transactions).
    ///
    /// Returns false if the lease was lost to another attempt or a purge, or if another transaction has
    /// locked the database. The handler must then roll back and respond with 503.
    ///
    /// Begin the transaction with `BEGIN IMMEDIATE`, which waits for other writers up to the busy timeout. A
    /// transaction that starts with a plain `BEGIN` fails at its first write if another connection has written
    /// since its first read.
    ///
    /// If the handler fails after the transaction was committed, the next attempt is a duplicate.
    ///
    /// # Errors
    ///
    /// Any other error of the database.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::dedup::{ClaimToken, Claimed, DeliveryId, DeliveryStore};
    /// use scrupp_verify_sqlx::{SqlxStore, SqlxStoreError};
    /// use sqlx::{
    ///     Sqlite, SqlitePool,
    ///     sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    /// };
    /// use std::time::Duration;
    ///
    /// /// Adds a task. Returns false if the lease was lost.
    /// async fn add_task(
    ///     pool: &SqlitePool,
    ///     store: &SqlxStore<Sqlite>,
    ///     claimed: &Claimed,
    /// ) -> Result<bool, SqlxStoreError> {
    ///     let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    ///     let task = sqlx::query("INSERT INTO tasks VALUES (6666)");
    ///     task.execute(&mut *transaction).await?;
    ///     if !store.commit_in(claimed, &mut transaction).await? {
    ///         return Ok(false); // Dropping the transaction rolls it back.
    ///     }
    ///     transaction.commit().await?;
    ///     Ok(true)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let path = std::env::temp_dir().join(format!("tasks-{}.db", std::process::id()));
    /// let options = SqliteConnectOptions::new()
    ///     .filename(&path)
    ///     .create_if_missing(true)
    ///     .journal_mode(SqliteJournalMode::Wal)
    ///     .synchronous(SqliteSynchronous::Full);
    /// let pool = SqlitePool::connect_with(options).await?;
    /// sqlx::query("CREATE TABLE tasks (process_id INTEGER)").execute(&pool).await?;
    /// let store = SqlxStore::new(pool.clone());
    /// store.migrate().await?;
    ///
    /// // In a handler, the extractor `ScruppClaim` returns the claim.
    /// let (id, token) = (DeliveryId::of(&[b"6666"]), ClaimToken::from_bytes([7; 16]));
    /// let claimed = Claimed::new(id, token, Duration::from_secs(86_400));
    /// store.claim(id, token, Duration::from_secs(60)).await?;
    ///
    /// assert!(add_task(&pool, &store, &claimed).await?);
    /// assert!(!add_task(&pool, &store, &claimed).await?);
    /// let tasks: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks").fetch_one(&pool).await?;
    /// assert_eq!(tasks, 1);
    ///
    /// pool.close().await;
    /// std::fs::remove_file(path)?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn commit_in(
        &self,
        claimed: &Claimed,
        connection: &mut SqliteConnection,
    ) -> Result<bool, SqlxStoreError> {
        let commit = query(self.statement(COMMIT_IN))
            .bind(&claimed.id().as_bytes()[..])
            .bind(&claimed.token().as_bytes()[..])
            .bind(millis(claimed.retention()));
        match commit.fetch_all(connection).await {
            Ok(rows) => self.check_file().map(|()| !rows.is_empty()),
            Err(error) => lost_if_busy(error.into()),
        }
    }

    /// Removes all expired deliveries, and returns their number.
    ///
    /// Not needed in normal use, because the claim of a new delivery removes up to four expired ones.
    ///
    /// # Errors
    ///
    /// Any error of the database.
    pub async fn purge(&self) -> Result<u64, SqlxStoreError> {
        let purged = query(self.statement(PURGE)).execute(&self.pool).await?;
        Ok(purged.rows_affected())
    }

    fn statement(&self, statement: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(self.table.statement(statement))
    }

    /// Returns an error if the file was removed or replaced since the first call. Otherwise, acknowledgements
    /// would go to the old file, and the next process would not find them.
    fn check_file(&self) -> Result<(), SqlxStoreError> {
        let options = self.pool.connect_options();
        let path = options.get_filename();
        let file = identity(path);
        if *self.file.get_or_init(|| file) == file {
            return Ok(());
        }
        let cause = format!("{} was removed or replaced: restart", path.display());
        Err(SqlxStoreError::with_cause(SqlxStoreErrorKind::Io, cause))
    }
}

/// Returns the device and the inode of a file. Returns `None` if no file has this path, as for a database in
/// memory.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    let file = path.metadata().ok()?;
    Some((file.dev(), file.ino()))
}

/// Returns `None`, because Windows does not allow removing or replacing a file that SQLite has open.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}

impl DeliveryStore for SqlxStore<Sqlite> {
    type Error = SqlxStoreError;

    async fn claim(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        lease: Duration,
    ) -> Result<Claim, SqlxStoreError> {
        let claim = query(self.statement(CLAIM))
            .bind(&id.as_bytes()[..])
            .bind(&token.as_bytes()[..])
            .bind(millis(lease));
        // Fetches all rows, because SQLite commits at the end of the statement.
        let rows = claim.fetch_all(&self.pool).await?;
        self.check_file()?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(claimed(row.try_get(0)?, &token.as_bytes()[..]))
    }

    async fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> Result<bool, SqlxStoreError> {
        let commit = query(self.statement(COMMIT))
            .bind(&id.as_bytes()[..])
            .bind(&token.as_bytes()[..])
            .bind(millis(retention));
        let rows = commit.fetch_all(&self.pool).await?;
        self.check_file()?;
        Ok(!rows.is_empty())
    }

    async fn release(&self, id: DeliveryId, token: ClaimToken) -> Result<(), SqlxStoreError> {
        let release = query(self.statement(RELEASE))
            .bind(&id.as_bytes()[..])
            .bind(&token.as_bytes()[..]);
        release.execute(&self.pool).await?;
        Ok(())
    }
}

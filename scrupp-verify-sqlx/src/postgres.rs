use core::time::Duration;
use std::sync::Arc;

use scrupp_verify_core::dedup::{Claim, ClaimToken, Claimed, DeliveryId, DeliveryStore};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Postgres, Row,
    pool::PoolConnection, postgres::PgRow, raw_sql,
};
use tokio::time::timeout;

use crate::{
    SqlxStore, SqlxStoreError,
    store::{claimed, lost_if_busy, millis},
    table::check_format,
};

/// The time limit of an attempt to connect. Longer than callers wait, but short enough to reach another
/// server soon after a failover.
const LINGER: Duration = Duration::from_secs(6);

const SCHEMA: &str = include_str!("../schema/postgres.sql");

/// Limits the wait for other transactions, below the caller's time limit. Applies to the rest of the
/// message, because a message is one transaction.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1s';";

/// Claims a delivery and removes up to four expired ones, in one message. The claim comes first, so that
/// the transaction does not lock other rows while it waits for this one.
const CLAIM: &str = "
    INSERT INTO scrupp_deliveries AS d (id, token, expires_at)
    VALUES ({id}, {token}, statement_timestamp() + {millis})
    ON CONFLICT (id) DO UPDATE SET
      token = CASE WHEN d.expires_at <= statement_timestamp() OR d.token = excluded.token
        THEN excluded.token ELSE d.token END,
      expires_at = CASE WHEN d.expires_at <= statement_timestamp() OR d.token = excluded.token
        THEN excluded.expires_at ELSE d.expires_at END
    RETURNING encode(token, 'hex');
    DELETE FROM scrupp_deliveries WHERE id IN (
      SELECT id FROM scrupp_deliveries WHERE expires_at <= statement_timestamp()
      ORDER BY expires_at LIMIT 4 FOR UPDATE SKIP LOCKED)";

const COMMIT: &str = "
    INSERT INTO scrupp_deliveries AS d (id, token, expires_at)
    VALUES ({id}, NULL, statement_timestamp() + {millis})
    ON CONFLICT (id) DO UPDATE SET token = NULL, expires_at = excluded.expires_at
      WHERE d.token IS NULL OR d.token = {token} OR d.expires_at <= statement_timestamp()
    RETURNING 1";

const COMMIT_IN: &str = "
    UPDATE scrupp_deliveries SET token = NULL, expires_at = statement_timestamp() + {millis}
    WHERE id = {id} AND token = {token} RETURNING 1";

const RELEASE: &str = "DELETE FROM scrupp_deliveries WHERE id = {id} AND token = {token}";

const PURGE: &str = "DELETE FROM scrupp_deliveries WHERE expires_at <= statement_timestamp()";

/// Fails if the role lacks a privilege for an operation. `EXPLAIN` executes nothing, so this succeeds on a
/// standby.
const CHECK: &str = "
    EXPLAIN INSERT INTO scrupp_deliveries (id, token, expires_at)
      SELECT id, token, expires_at FROM scrupp_deliveries;
    EXPLAIN UPDATE scrupp_deliveries SET token = NULL, expires_at = statement_timestamp();
    EXPLAIN DELETE FROM scrupp_deliveries";

impl SqlxStore<Postgres> {
    /// Creates the [tables](crate#schema) if they are missing, and checks that this release can use them.
    ///
    /// If the tables exist, the role needs no privilege to create them. Several processes can call this
    /// method at once.
    ///
    /// If the pool has no connection yet, this method first connects once without the pool. If the server
    /// rejects the connection, this method fails at once.
    ///
    /// # Errors
    ///
    /// - [`FormatTooNew`](crate::SqlxStoreErrorKind::FormatTooNew) if a newer release has changed the table.
    /// - [`PermissionDenied`](crate::SqlxStoreErrorKind::PermissionDenied) if the role lacks one of the
    ///   [privileges](crate#schema).
    /// - Any error of the database.
    pub async fn migrate(&self) -> Result<(), SqlxStoreError> {
        if self.pool.size() == 0 {
            // While the server rejects connections, the pool retries until its timeout, and then omits the
            // cause. Connecting without the pool returns the cause.
            let options = self.pool.connect_options();
            let connected = timeout(LINGER, options.connect()).await;
            let connection = connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
            connection.close().await?;
        }
        let exists = format!(
            "SELECT to_regclass('{}_format') IS NOT NULL",
            self.table.name()
        );
        let exists: bool = self.one(exists).await?.try_get(0)?;
        if !exists {
            // One message is one transaction. No other lock has this number.
            let alone = "SELECT pg_advisory_xact_lock(5283016437719216842);";
            let schema = self.table.statement(SCHEMA);
            self.run(format!("{alone}{schema}")).await?;
        }
        let oldest = self
            .table
            .statement("SELECT oldest FROM scrupp_deliveries_format");
        let oldest: i32 = self.one(oldest).await?.try_get(0)?;
        check_format(oldest.into())?;
        self.run(self.table.statement(CHECK)).await.map(drop)
    }

    /// Acknowledges a delivery in the handler's own [transaction](crate#transactions).
    ///
    /// Returns false if the lease was lost to another attempt or a purge, or after a serialization
    /// failure, a deadlock or a lock timeout. The handler must then roll back and respond with 503.
    ///
    /// If the handler fails after the transaction was committed, the next attempt is a duplicate. Until the
    /// transaction ends, other attempts at this delivery wait or are rejected with 503.
    ///
    /// # Errors
    ///
    /// Any other error of the database.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use scrupp_verify_core::dedup::Claimed;
    /// use scrupp_verify_sqlx::{SqlxStore, SqlxStoreError};
    /// use sqlx::{PgPool, Postgres};
    ///
    /// /// Adds a task. Returns false if the lease was lost.
    /// async fn add_task(
    ///     pool: &PgPool,
    ///     store: &SqlxStore<Postgres>,
    ///     claimed: &Claimed,
    /// ) -> Result<bool, SqlxStoreError> {
    ///     let mut transaction = pool.begin().await?;
    ///     let task = sqlx::query("INSERT INTO tasks VALUES (6666)");
    ///     task.execute(&mut *transaction).await?;
    ///     if !store.commit_in(claimed, &mut transaction).await? {
    ///         return Ok(false); // Dropping the transaction rolls it back.
    ///     }
    ///     transaction.commit().await?;
    ///     Ok(true)
    /// }
    /// ```
    pub async fn commit_in(
        &self,
        claimed: &Claimed,
        connection: &mut PgConnection,
    ) -> Result<bool, SqlxStoreError> {
        let (id, token) = (claimed.id(), claimed.token());
        let commit = self.statement(COMMIT_IN, id, token, claimed.retention());
        match connection.fetch_optional(raw_sql(commit)).await {
            Ok(row) => Ok(row.is_some()),
            Err(error) => lost_if_busy(error.into()),
        }
    }

    /// Removes all expired deliveries, and returns their number.
    ///
    /// Not needed in normal use, because each claim removes up to four expired deliveries.
    ///
    /// # Errors
    ///
    /// Any error of the database.
    pub async fn purge(&self) -> Result<u64, SqlxStoreError> {
        let purge = AssertSqlSafe(self.table.statement(PURGE));
        Ok(self.pool.execute(raw_sql(purge)).await?.rows_affected())
    }

    /// Runs an operation on a delivery.
    async fn operation(
        &self,
        statement: AssertSqlSafe<String>,
    ) -> Result<Vec<PgRow>, SqlxStoreError> {
        self.run(format!("{LOCK_TIMEOUT}{}", statement.0)).await
    }

    async fn one(&self, statement: String) -> Result<PgRow, SqlxStoreError> {
        let rows = self.run(statement).await?;
        Ok(rows.into_iter().next().ok_or(sqlx::Error::RowNotFound)?)
    }

    async fn run(&self, statements: String) -> Result<Vec<PgRow>, SqlxStoreError> {
        let mut running = Running {
            connection: self.acquire().await?,
            has_succeeded: false,
        };
        let rows = raw_sql(AssertSqlSafe(statements)).fetch_all(&mut *running.connection);
        let rows = rows.await?;
        running.has_succeeded = true;
        Ok(rows)
    }

    /// Acquires a connection from the pool. An attempt to connect continues after its caller is dropped, and
    /// the next caller gets the connection. Otherwise, after a stall, the server would first start a process
    /// for each abandoned attempt in its queue, while later attempts time out too.
    async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let permit = Arc::clone(&self.acquiring).acquire_owned().await;
        let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
        let pool = self.pool.clone();
        let acquiring = tokio::spawn(async move {
            let acquired = timeout(LINGER, pool.acquire()).await;
            drop(permit);
            acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut))
        });
        acquiring.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    /// Writes the values into a statement, as hex digits and a number, because the simple protocol has no
    /// parameters. With the extended protocol, PgBouncer may send the messages to two servers.
    fn statement(
        &self,
        statement: &str,
        id: DeliveryId,
        token: ClaimToken,
        duration: Duration,
    ) -> AssertSqlSafe<String> {
        let statement = self
            .table
            .statement(statement)
            .replace("{id}", &bytea(id.as_bytes()))
            .replace("{token}", &bytea(token.as_bytes()))
            .replace(
                "{millis}",
                &format!("{} * interval '1 millisecond'", millis(duration)),
            );
        AssertSqlSafe(statement)
    }
}

/// A connection that returns to the pool only after a success. After a failure, the connection is closed,
/// because it may be silent or lead to a standby.
struct Running {
    connection: PoolConnection<Postgres>,
    has_succeeded: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_succeeded {
            self.connection.close_on_drop();
        }
    }
}

/// Returns an expression of type `bytea`. Contains no backslash, whose meaning in a literal depends on a
/// setting of the server (`standard_conforming_strings`).
fn bytea(bytes: &[u8; 16]) -> String {
    format!("decode('{}', 'hex')", hex(bytes))
}

/// Returns the 32 hex digits that `encode` returns.
fn hex(bytes: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*bytes))
}

impl DeliveryStore for SqlxStore<Postgres> {
    type Error = SqlxStoreError;

    async fn claim(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        lease: Duration,
    ) -> Result<Claim, SqlxStoreError> {
        let claim = self.statement(CLAIM, id, token, lease);
        let rows = self.operation(claim).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let holder: Option<&str> = row.try_get(0)?;
        Ok(claimed(holder, &*hex(token.as_bytes())))
    }

    async fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> Result<bool, SqlxStoreError> {
        let commit = self.statement(COMMIT, id, token, retention);
        Ok(!self.operation(commit).await?.is_empty())
    }

    async fn release(&self, id: DeliveryId, token: ClaimToken) -> Result<(), SqlxStoreError> {
        let release = self.statement(RELEASE, id, token, Duration::ZERO);
        self.operation(release).await.map(drop)
    }
}

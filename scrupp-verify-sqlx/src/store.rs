use core::{fmt, time::Duration};
use std::sync::Arc;

use scrupp_verify_core::dedup::Claim;
use sqlx::{Database, Pool};
use tokio::sync::Semaphore;

use crate::{SqlxStoreError, SqlxStoreErrorKind, table::Table};

/// A store of claims in a table of SQLite or PostgreSQL.
///
/// Each operation is one statement or one round trip, by the clock of the database, so the clocks of
/// the processes that share the table do not matter. `migrate` creates the table.
///
/// # Which database
///
/// SQLite is for the processes of one machine, and PostgreSQL for any number. Both survive a restart.
///
/// On PostgreSQL, an operation waits at most one second for other transactions. An operation has no
/// other time limit of its own: the adapters set one (`Dedup::store_timeout`).
///
/// If an operation on PostgreSQL has to wait for a new connection, the attempt to connect continues
/// after the operation was dropped, for 6 s in all, and the next operation uses the connection. Leave
/// the pool's `acquire_timeout` above that, as by default: a server that stalled would otherwise be
/// kept busy by attempts that were given up.
///
/// # Cancel safety
///
/// If an operation on PostgreSQL fails, or is dropped after it was sent, its connection is closed. So
/// the next operation reaches the server by a new connection if the old one fell silent, or leads to
/// a standby after a failover.
///
/// # Security
///
/// Write access to the table allows an attacker to replay or suppress genuine deliveries, but not to
/// forge one.
pub struct SqlxStore<DB: Database> {
    pub(crate) pool: Pool<DB>,
    pub(crate) table: Arc<Table>,
    /// One permit a connection of the pool, for tasks that acquire one.
    pub(crate) acquiring: Arc<Semaphore>,
}

impl<DB: Database> SqlxStore<DB> {
    /// Creates a store in the table `scrupp_deliveries`. Does no I/O.
    #[must_use]
    pub fn new(pool: Pool<DB>) -> Self {
        let connections = pool.options().get_max_connections();
        Self {
            table: Arc::default(),
            acquiring: Arc::new(Semaphore::new(connections as usize)),
            pool,
        }
    }

    /// Sets the name of the table: `table`, or `schema.table` with PostgreSQL.
    ///
    /// # Errors
    ///
    /// [`InvalidTable`](SqlxStoreErrorKind::InvalidTable), unless each part has 1 to 50 lower-case
    /// letters, digits and underscores, and does not start with a digit.
    pub fn table(mut self, name: &str) -> Result<Self, SqlxStoreError> {
        self.table = Arc::new(Table::new(name)?);
        Ok(self)
    }
}

impl<DB: Database> Clone for SqlxStore<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            table: Arc::clone(&self.table),
            acquiring: Arc::clone(&self.acquiring),
        }
    }
}

impl<DB: Database> fmt::Debug for SqlxStore<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxStore")
            .field("table", &self.table.name())
            .finish_non_exhaustive()
    }
}

/// Reads the result of a claim from the token that the row has afterwards.
pub(crate) fn claimed<T: PartialEq + ?Sized>(token: Option<&T>, mine: &T) -> Claim {
    match token {
        None => Claim::Acknowledged,
        Some(token) if token == mine => Claim::Granted,
        Some(_) => Claim::InFlight,
    }
}

/// Reads a failure to acknowledge in a transaction. One that another transaction causes means that the
/// effects must be rolled back, as after a lost lease.
pub(crate) fn lost_if_busy(error: SqlxStoreError) -> Result<bool, SqlxStoreError> {
    match error.kind() {
        SqlxStoreErrorKind::Busy => Ok(false),
        _ => Err(error),
    }
}

/// Converts to whole milliseconds, rounded up so that a claim lasts at least as long as asked, and at
/// most a thousand years.
pub(crate) fn millis(duration: Duration) -> i64 {
    const MAX: i64 = 1000 * 366 * 86_400 * 1000;
    let millis = duration.as_nanos().div_ceil(1_000_000);
    i64::try_from(millis).unwrap_or(MAX).min(MAX)
}

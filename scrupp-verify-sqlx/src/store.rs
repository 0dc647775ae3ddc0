use core::{fmt, time::Duration};
use std::sync::{Arc, OnceLock};

use scrupp_verify_core::dedup::Claim;
use sqlx::{Database, Pool};
use tokio::sync::Semaphore;

use crate::{SqlxStoreError, SqlxStoreErrorKind, table::Table};

/// A store of claims in a SQLite or PostgreSQL database.
///
/// `migrate` creates the [tables](crate#schema). Each operation is one statement or one round trip. Expiry
/// follows the clock of the database, so the clocks of the processes need not agree.
///
/// On Unix, if a SQLite file is removed or replaced after the first operation, claims and commits fail until
/// the process restarts, because SQLite continues to write to the old file.
///
/// On PostgreSQL, an operation fails after waiting 1 s for another transaction. The store does not limit
/// the time of a whole operation, because the adapters do (`Dedup::store_timeout`).
///
/// If an operation on PostgreSQL needs a new connection, the attempt to connect may take up to 6 s, and
/// continues after the operation is dropped. The next operation uses the connection. Leave the pool's
/// `acquire_timeout` above 6 s, as it is by default. Otherwise, abandoned attempts keep a stalled server
/// busy.
///
/// # Cancel safety
///
/// If an operation on PostgreSQL fails, or is dropped after it was sent, its connection is closed. The next
/// operation then uses another connection, so a dead connection or a failover does not affect it.
///
/// # Security
///
/// Write access to the table allows an attacker to replay or suppress genuine deliveries, but not to
/// forge one.
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```no_run")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// use scrupp_verify_core::dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore};
/// use scrupp_verify_sqlx::SqlxStore;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), scrupp_verify_sqlx::SqlxStoreError> {
/// let store = SqlxStore::sqlite_file("deliveries.db");
/// store.migrate().await?;
///
/// let lease = Duration::from_secs(60);
/// let id = DeliveryId::of(&[b"process 6666"]);
/// let (first, second) = (ClaimToken::from_bytes([1; 16]), ClaimToken::from_bytes([2; 16]));
/// assert_eq!(store.claim(id, first, lease).await?, Claim::Granted);
/// assert_eq!(store.claim(id, second, lease).await?, Claim::InFlight);
/// # Ok(())
/// # }
/// ```
pub struct SqlxStore<DB: Database> {
    pub(crate) pool: Pool<DB>,
    pub(crate) table: Arc<Table>,
    /// A permit for each connection of the pool. A task that acquires a connection holds one.
    pub(crate) acquiring: Arc<Semaphore>,
    /// The device and the inode of the SQLite file at the first operation.
    pub(crate) file: Arc<OnceLock<Option<(u64, u64)>>>,
}

impl<DB: Database> SqlxStore<DB> {
    /// Creates a store in the table `scrupp_deliveries`. Does no I/O.
    ///
    /// With SQLite, the connections of the pool need `journal_mode = WAL` and `synchronous = FULL`.
    /// `migrate` checks this.
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "postgres", doc = "```no_run")]
    #[cfg_attr(not(feature = "postgres"), doc = "```ignore")]
    /// use scrupp_verify_sqlx::SqlxStore;
    /// use sqlx::PgPool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = PgPool::connect("postgres://127.0.0.1/crm").await?;
    /// let store = SqlxStore::new(pool);
    /// store.migrate().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(pool: Pool<DB>) -> Self {
        let connections = pool.options().get_max_connections();
        Self {
            table: Arc::default(),
            acquiring: Arc::new(Semaphore::new(connections as usize)),
            file: Arc::default(),
            pool,
        }
    }

    /// Sets the name of the table: `table`, or `schema.table` with PostgreSQL.
    ///
    /// The default is `scrupp_deliveries`. Stores with the same table share their deliveries.
    ///
    /// # Errors
    ///
    /// [`InvalidTable`](SqlxStoreErrorKind::InvalidTable), unless each part consists of 1 to 50 lowercase
    /// letters, digits and underscores, and does not start with a digit.
    ///
    /// # Examples
    ///
    #[cfg_attr(feature = "postgres", doc = "```")]
    #[cfg_attr(not(feature = "postgres"), doc = "```ignore")]
    /// use scrupp_verify_sqlx::SqlxStore;
    /// use sqlx::PgPool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = SqlxStore::new(PgPool::connect_lazy("postgres://127.0.0.1/crm")?);
    /// assert!(store.clone().table("webhooks.deliveries").is_ok());
    /// assert!(store.table("deliveries; DROP TABLE tasks").is_err());
    /// # Ok(())
    /// # }
    /// ```
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
            file: Arc::clone(&self.file),
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

/// Returns the result of a claim, given the token that the row contains afterwards.
pub(crate) fn claimed<T: PartialEq + ?Sized>(token: Option<&T>, mine: &T) -> Claim {
    match token {
        None => Claim::Acknowledged,
        Some(token) if token == mine => Claim::Granted,
        Some(_) => Claim::InFlight,
    }
}

/// Converts the error of a commit to `Ok(false)` if another transaction caused it. The handler must then
/// roll back, as after a lost lease.
pub(crate) fn lost_if_busy(error: SqlxStoreError) -> Result<bool, SqlxStoreError> {
    match error.kind() {
        SqlxStoreErrorKind::Busy => Ok(false),
        _ => Err(error),
    }
}

/// Converts a duration to whole milliseconds, rounded up and limited to 1000 years.
pub(crate) fn millis(duration: Duration) -> i64 {
    const MAX: i64 = 1000 * 366 * 86_400 * 1000;
    let millis = duration.as_nanos().div_ceil(1_000_000);
    i64::try_from(millis).unwrap_or(MAX).min(MAX)
}

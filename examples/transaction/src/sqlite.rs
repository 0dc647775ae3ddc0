//! Tasks in SQLite.

use core::{error::Error, time::Duration};

use scrupp_verify_sqlx::{SqlxStore, SqlxStoreError};
use scrupp_verify_tower::dedup::Claimed;
use sqlx::{
    Sqlite, SqlitePool, query, query_scalar,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

#[derive(Clone)]
pub(crate) struct Tasks {
    pool: SqlitePool,
    pub(crate) store: SqlxStore<Sqlite>,
}

impl Tasks {
    pub(crate) async fn open(path: &str) -> Result<Self, Box<dyn Error>> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(1));
        let pool = SqlitePool::connect_with(options).await?;
        let store = SqlxStore::new(pool.clone());
        store.migrate().await?;
        let tasks = "CREATE TABLE IF NOT EXISTS tasks (process_id INTEGER NOT NULL)";
        query(tasks).execute(&pool).await?;
        Ok(Self { pool, store })
    }

    /// Adds a task and acknowledges its delivery, in one transaction. Returns false if it was rolled back.
    pub(crate) async fn add(
        &self,
        process_id: i64,
        fails: bool,
        claimed: &Claimed,
    ) -> Result<bool, SqlxStoreError> {
        // Do slow work before the transaction. The transaction blocks claims of other deliveries.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let task = query("INSERT INTO tasks VALUES ($1)").bind(process_id);
        task.execute(&mut *transaction).await?;
        if fails || !self.store.commit_in(claimed, &mut transaction).await? {
            // Dropping the transaction rolls it back.
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    pub(crate) async fn count(&self, process_id: i64) -> Result<i64, sqlx::Error> {
        let count = query_scalar("SELECT count(*) FROM tasks WHERE process_id = $1");
        count.bind(process_id).fetch_one(&self.pool).await
    }
}

//! Tasks in PostgreSQL.

use core::error::Error;

use scrupp_verify_sqlx::{SqlxStore, SqlxStoreError};
use scrupp_verify_tower::dedup::Claimed;
use sqlx::{PgPool, Postgres, query, query_scalar};

#[derive(Clone)]
pub(crate) struct Tasks {
    pool: PgPool,
    pub(crate) store: SqlxStore<Postgres>,
}

impl Tasks {
    pub(crate) async fn open(url: &str) -> Result<Self, Box<dyn Error>> {
        let pool = PgPool::connect_lazy(url)?;
        let store = SqlxStore::new(pool.clone());
        store.migrate().await?;
        let tasks = "CREATE TABLE IF NOT EXISTS tasks (process_id bigint NOT NULL)";
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
        let mut transaction = self.pool.begin().await?;
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

//! SQLite.

use core::time::Duration;

use scrupp_verify_core::dedup::{Claim, Claimed, DeliveryStore};
use scrupp_verify_sqlx::{SqlxStore, SqlxStoreErrorKind};
use sqlx::{
    Row, Sqlite, query, query_scalar,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    Directory, LEASE, RETENTION, grants_each_delivery_once, id,
    model::{Model, Op, count, id_of, operations, run},
    remembers, token,
};

async fn store(directory: &Directory) -> SqlxStore<Sqlite> {
    let store = SqlxStore::sqlite_file(directory.file());
    store.migrate().await.unwrap();
    store
}

fn options(directory: &Directory) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(directory.file())
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
}

#[tokio::test]
async fn remembers_across_a_restart() {
    let directory = Directory::new();
    remembers(&store(&directory).await).await;
    let again = store(&directory).await;
    let claim = again.claim(id(1), token(9), LEASE).await;
    assert_eq!(claim.unwrap(), Claim::Acknowledged);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_claims_at_once_one_is_granted() {
    let directory = Directory::new();
    store(&directory).await;
    grants_each_delivery_once(|| SqlxStore::sqlite_file(directory.file())).await;
}

#[tokio::test]
async fn follows_the_model_through_random_operations() {
    let directory = Directory::new();
    // Durability is not what this is about.
    let options = options(&directory).synchronous(SqliteSynchronous::Off);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options).await.unwrap();
    store(&directory).await;
    let store = SqlxStore::new(pool.clone());
    let mut models = vec![Model::default(); 200];
    for (number, op) in operations(count()) {
        let result = match (run(&store, id_of(number), op).await, op) {
            (Some(result), _) => result,
            (None, Op::CommitIn(by, retention)) => {
                let claimed = Claimed::new(id_of(number), token(by), retention);
                let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
                let committed = store.commit_in(&claimed, &mut transaction).await.unwrap();
                transaction.commit().await.unwrap();
                committed.to_string()
            }
            _ => unreachable!(),
        };
        models[number as usize].check(number, op, &result);
    }
}

#[tokio::test]
async fn new_deliveries_remove_expired_ones_by_the_index() {
    let directory = Directory::new();
    let store = store(&directory).await;
    let pool = SqlitePoolOptions::new().connect_with(options(&directory));
    let pool = pool.await.unwrap();
    for number in 0..100 {
        store
            .claim(id(number), token(1), Duration::ZERO)
            .await
            .unwrap();
    }
    let rows = "SELECT count(*) FROM scrupp_deliveries";
    let rows: i64 = query_scalar(rows).fetch_one(&pool).await.unwrap();
    assert!(rows <= 5, "{rows} rows");
    assert_eq!(store.purge().await.unwrap(), rows as u64);

    let trigger = "SELECT sql FROM sqlite_master WHERE name = 'scrupp_deliveries_purge'";
    let trigger: String = query_scalar(trigger).fetch_one(&pool).await.unwrap();
    assert!(trigger.contains("LIMIT 4"));
    let plan = "EXPLAIN QUERY PLAN SELECT id FROM scrupp_deliveries
        WHERE expires_at <= 1 ORDER BY expires_at LIMIT 4";
    for row in query(plan).fetch_all(&pool).await.unwrap() {
        let step: String = row.get("detail");
        assert!(step.contains("scrupp_deliveries_expires_at"), "{step}");
    }
}

#[tokio::test]
async fn acknowledgement_is_committed_or_rolled_back_with_the_effects() {
    let directory = Directory::new();
    let store = store(&directory).await;
    let pool = SqlitePoolOptions::new().connect_with(options(&directory));
    let pool = pool.await.unwrap();
    query("CREATE TABLE effects (n INTEGER)")
        .execute(&pool)
        .await
        .unwrap();
    let [a, b] = [token(1), token(2)].map(|token| Claimed::new(id(1), token, RETENTION));
    let effect = async |claimed: &Claimed, is_kept: bool| {
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let insert = query("INSERT INTO effects VALUES (1)");
        insert.execute(&mut *transaction).await.unwrap();
        let committed = store.commit_in(claimed, &mut transaction).await.unwrap();
        match committed && is_kept {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
        committed
    };
    let claim = async |by, lease| store.claim(id(1), token(by), lease).await.unwrap();

    // Rolled back: the delivery is still claimed, and free once that is released.
    assert_eq!(claim(1, LEASE).await, Claim::Granted);
    assert!(effect(&a, false).await);
    store.release(id(1), token(1)).await.unwrap();
    // A is late: B took over, and commits first.
    assert_eq!(claim(1, Duration::ZERO).await, Claim::Granted);
    assert_eq!(claim(2, LEASE).await, Claim::Granted);
    assert!(effect(&b, true).await);
    assert!(!effect(&a, true).await);
    // The adapter's own commit afterwards finds it done, and a failure releases nothing.
    assert!(store.commit(id(1), token(2), RETENTION).await.unwrap());
    store.release(id(1), token(2)).await.unwrap();
    assert_eq!(claim(3, LEASE).await, Claim::Acknowledged);
    let effects: i64 = query_scalar("SELECT count(*) FROM effects")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(effects, 1);
}

#[tokio::test]
async fn settings_that_lose_commits_are_rejected() {
    let directory = Directory::new();
    for (journal, synchronous) in [
        (SqliteJournalMode::Delete, SqliteSynchronous::Full),
        (SqliteJournalMode::Wal, SqliteSynchronous::Normal),
        (SqliteJournalMode::Memory, SqliteSynchronous::Full),
    ] {
        let options = options(&directory)
            .journal_mode(journal)
            .synchronous(synchronous);
        let pool = SqlitePoolOptions::new().connect_lazy_with(options);
        let error = SqlxStore::new(pool).migrate().await.unwrap_err();
        assert_eq!(
            error.kind(),
            SqlxStoreErrorKind::UnsafeSettings,
            "{journal:?}"
        );
    }
}

#[tokio::test]
async fn releases_with_another_format_share_a_table_if_it_says_so() {
    let directory = Directory::new();
    let old = store(&directory).await;
    let pool = SqlitePoolOptions::new().connect_with(options(&directory));
    let pool = pool.await.unwrap();
    // A newer release adds what the old one can ignore.
    query("ALTER TABLE scrupp_deliveries ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0")
        .execute(&pool)
        .await
        .unwrap();
    let set = "UPDATE scrupp_deliveries_format SET format = 2, oldest = $1";
    query(set).bind(1).execute(&pool).await.unwrap();
    old.migrate().await.unwrap();
    remembers(&old).await;
    // And later what it cannot.
    query(set).bind(2).execute(&pool).await.unwrap();
    let error = old.migrate().await.unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::FormatTooNew);
}

#[tokio::test]
async fn errors_name_the_kind_and_the_cause() {
    let directory = Directory::new();
    let missing = SqlxStore::sqlite_file(directory.file());
    let error = missing.claim(id(1), token(1), LEASE).await.unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::TableMissing);
    assert!(error.to_string().contains("no such table"), "{error}");

    let nowhere = SqlxStore::sqlite_file("/nonexistent/deliveries.db");
    let error = nowhere.migrate().await.unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::Unreachable, "{error}");

    store(&directory).await;
    let options = options(&directory).read_only(true).create_if_missing(false);
    let pool = SqlitePoolOptions::new()
        .connect_with(options)
        .await
        .unwrap();
    let error = SqlxStore::new(pool)
        .claim(id(1), token(1), LEASE)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::ReadOnly, "{error}");

    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(100));
    let pool = pool.connect_with(self::options(&directory)).await.unwrap();
    let _taken = pool.acquire().await.unwrap();
    let error = SqlxStore::new(pool)
        .claim(id(1), token(1), LEASE)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::PoolExhausted, "{error}");
}

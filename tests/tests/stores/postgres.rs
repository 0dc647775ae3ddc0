//! PostgreSQL, straight and through PgBouncer.

use core::time::Duration;

use scrupp_verify_core::dedup::{Claim, Claimed, DeliveryStore};
use scrupp_verify_sqlx::{SqlxStore, SqlxStoreErrorKind};
use scrupp_verify_tests::{PgBouncer, Postgres};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::task::JoinSet;

use crate::{
    LEASE, RETENTION, grants_each_delivery_once, id,
    model::{Model, Op, count, id_of, operations, run},
    remembers, token,
};

async fn pool(url: &str) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(10);
    pool.connect(url).await.unwrap()
}

async fn store(pool: &PgPool) -> SqlxStore<sqlx::Postgres> {
    let store = SqlxStore::new(pool.clone());
    store.migrate().await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_the_model_and_grants_each_delivery_once() {
    let postgres = Postgres::start().await;
    let pool = pool(&postgres.url()).await;
    let store = store(&pool).await;
    remembers(&store).await;
    grants_each_delivery_once(|| store.clone().table("scrupp_deliveries").unwrap()).await;

    let mut models = vec![Model::default(); 200];
    for (number, op) in operations(count()) {
        let result = match (run(&store, id_of(number), op).await, op) {
            (Some(result), _) => result,
            (None, Op::CommitIn(by, retention)) => {
                let claimed = Claimed::new(id_of(number), token(by), retention);
                let mut transaction = pool.begin().await.unwrap();
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
async fn late_commit_is_rolled_back() {
    let postgres = Postgres::start().await;
    let pool = pool(&postgres.url()).await;
    let store = store(&pool).await;
    let claim = async |by, lease| store.claim(id(1), token(by), lease).await.unwrap();
    let commit = async |by| {
        let claimed = Claimed::new(id(1), token(by), RETENTION);
        let mut transaction = pool.begin().await.unwrap();
        let committed = store.commit_in(&claimed, &mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
        committed
    };
    assert_eq!(claim(1, Duration::ZERO).await, Claim::Granted);
    assert_eq!(claim(2, LEASE).await, Claim::Granted);
    assert!(commit(2).await);
    assert!(!commit(1).await);
    assert_eq!(claim(3, LEASE).await, Claim::Acknowledged);
}

#[tokio::test]
async fn tables_of_ones_own_and_missing_ones() {
    let postgres = Postgres::start().await;
    let pool = pool(&postgres.url()).await;
    let missing = SqlxStore::new(pool.clone());
    let error = missing.claim(id(1), token(1), LEASE).await.unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::TableMissing, "{error}");
    sqlx::query("CREATE SCHEMA crm")
        .execute(&pool)
        .await
        .unwrap();
    let crm = SqlxStore::new(pool.clone()).table("crm.claims").unwrap();
    crm.migrate().await.unwrap();
    crm.migrate().await.unwrap();
    remembers(&crm).await;
    assert_eq!(crm.purge().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn works_behind_pgbouncer_in_transaction_mode() {
    let postgres = Postgres::start().await;
    let pooler = PgBouncer::start(&postgres, "").await;
    // PgBouncer rejects a parameter that it does not know, and sqlx sends this one by default.
    let options: PgConnectOptions = pooler.url().parse().unwrap();
    let options = options.extra_float_digits(None);
    let pool = PgPoolOptions::new()
        .max_connections(20)
        .connect_with(options);
    let store = store(&pool.await.unwrap()).await;
    remembers(&store).await;
    grants_each_delivery_once(|| store.clone()).await;
    let mut claims = JoinSet::new();
    for task in 0..20 {
        let store = store.clone();
        claims.spawn(async move {
            let mut granted = 0;
            for number in 200..300 {
                let claim = store.claim(id(number), token(task), LEASE).await.unwrap();
                granted += usize::from(claim == Claim::Granted);
            }
            granted
        });
    }
    let granted: usize = claims.join_all().await.into_iter().sum();
    assert_eq!(granted, 100);
}

#[tokio::test]
async fn needs_no_right_to_create_a_table_that_exists() {
    let postgres = Postgres::start().await;
    let owner = pool(&postgres.url()).await;
    store(&owner).await;
    for statement in [
        "CREATE ROLE worker LOGIN",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON scrupp_deliveries TO worker",
        "GRANT SELECT ON scrupp_deliveries_format TO worker",
    ] {
        sqlx::query(statement).execute(&owner).await.unwrap();
    }
    let options: PgConnectOptions = postgres.url().parse().unwrap();
    let worker = PgPoolOptions::new().connect_with(options.username("worker"));
    let worker = store(&worker.await.unwrap()).await;
    remembers(&worker).await;
    sqlx::query("REVOKE INSERT ON scrupp_deliveries FROM worker")
        .execute(&owner)
        .await
        .unwrap();
    let error = worker.claim(id(2), token(1), LEASE).await.unwrap_err();
    assert_eq!(
        error.kind(),
        SqlxStoreErrorKind::PermissionDenied,
        "{error}"
    );
}

#[tokio::test]
async fn expired_deliveries_are_found_by_the_index() {
    let postgres = Postgres::start().await;
    let pool = pool(&postgres.url()).await;
    let store = store(&pool).await;
    for number in 0..50 {
        store
            .claim(id(number), token(1), Duration::ZERO)
            .await
            .unwrap();
    }
    let count = "SELECT count(*) FROM scrupp_deliveries";
    let rows: i64 = sqlx::query_scalar(count).fetch_one(&pool).await.unwrap();
    assert!(rows <= 5, "{rows} rows");
    assert_eq!(store.purge().await.unwrap(), rows as u64);

    let fill = "INSERT INTO scrupp_deliveries
        SELECT decode(md5(n::text), 'hex'), NULL, statement_timestamp() + n * interval '1 second'
        FROM generate_series(1, 10000) AS n";
    sqlx::query(fill).execute(&pool).await.unwrap();
    sqlx::query("ANALYZE scrupp_deliveries")
        .execute(&pool)
        .await
        .unwrap();
    let plan = "EXPLAIN SELECT id FROM scrupp_deliveries
        WHERE expires_at <= statement_timestamp() ORDER BY expires_at LIMIT 4";
    let plan: Vec<String> = sqlx::query_scalar(plan).fetch_all(&pool).await.unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("scrupp_deliveries_expires_at"), "{plan}");
    assert!(!plan.contains("Seq Scan"), "{plan}");
}

//! PostgreSQL, directly and through PgBouncer.

use core::time::Duration;
use std::{net::SocketAddr, time::Instant};

use scrupp_verify_core::dedup::{Claim, Claimed, DeliveryStore};
use scrupp_verify_sqlx::{SqlxStore, SqlxStoreErrorKind};
use scrupp_verify_tests::{PgBouncer, Postgres, Proxy};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    LEASE, RETENTION, faults::Server, id, processes::Shared, remembers, suite::Shape, token,
};

pub(crate) type Straight = Database<false>;

/// PostgreSQL through PgBouncer in transaction mode.
pub(crate) type Pooled = Database<true>;

pub(crate) struct Database<const IS_POOLED: bool> {
    server: Postgres,
    pooler: Option<PgBouncer>,
    handler: PgPool,
}

impl<const IS_POOLED: bool> Shape for Database<IS_POOLED> {
    type Store = SqlxStore<sqlx::Postgres>;

    async fn start() -> Self {
        let server = Postgres::start().await;
        let pooler = match IS_POOLED {
            true => Some(PgBouncer::start(&server, "server_login_retry = 1").await),
            false => None,
        };
        let url = pooler.as_ref().map_or(server.url(), PgBouncer::url);
        let handler = pool(&url).await;
        store(&handler).await;
        Self {
            server,
            pooler,
            handler,
        }
    }

    async fn store(&self) -> Self::Store {
        Self::connect(&self.address()).await
    }

    async fn commit_in(&self, store: &Self::Store, claimed: &Claimed) -> Option<bool> {
        let mut transaction = self.handler.begin().await.unwrap();
        let committed = store.commit_in(claimed, &mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
        Some(committed)
    }
}

impl<const IS_POOLED: bool> Shared for Database<IS_POOLED> {
    fn address(&self) -> String {
        let pooler = self.pooler.as_ref();
        pooler.map_or(self.server.url(), PgBouncer::url)
    }

    async fn connect(address: &str) -> Self::Store {
        SqlxStore::new(pool(address).await)
    }
}

impl<const IS_POOLED: bool> Server for Database<IS_POOLED> {
    fn kill(&mut self) {
        self.server.kill();
    }

    async fn restart(&mut self) {
        self.server.restart().await;
    }

    fn pause(&self, is_paused: bool) {
        self.server.pause(is_paused);
    }
}

async fn pool(url: &str) -> PgPool {
    pool_of(10, url).await
}

async fn pool_of(connections: u32, url: &str) -> PgPool {
    let options: PgConnectOptions = url.parse().unwrap();
    // PgBouncer rejects this parameter, which sqlx sends by default.
    let options = options.extra_float_digits(None);
    let pool = PgPoolOptions::new().max_connections(connections);
    pool.connect_with(options).await.unwrap()
}

async fn store(pool: &PgPool) -> SqlxStore<sqlx::Postgres> {
    let store = SqlxStore::new(pool.clone());
    store.migrate().await.unwrap();
    store
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
async fn custom_table_works_and_missing_table_is_an_error() {
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
async fn migrate_rejects_a_role_without_a_privilege() {
    let postgres = Postgres::start().await;
    store(&pool(&postgres.url()).await).await;
    let _ = postgres.sql("CREATE ROLE worker LOGIN");
    let _ = postgres.sql("GRANT SELECT ON scrupp_deliveries_format TO worker");
    let worker = SqlxStore::new(pool(&postgres.url_of("worker")).await);
    for privilege in ["SELECT", "INSERT", "UPDATE", "DELETE"] {
        let _ = postgres.sql("GRANT ALL ON scrupp_deliveries TO worker");
        worker.migrate().await.unwrap();
        let _ = postgres.sql(&format!(
            "REVOKE {privilege} ON scrupp_deliveries FROM worker"
        ));
        let kind = worker.migrate().await.unwrap_err().kind();
        assert_eq!(kind, SqlxStoreErrorKind::PermissionDenied, "{privilege}");
    }
}

#[tokio::test]
async fn works_without_standard_conforming_strings() {
    let postgres = Postgres::start().await;
    let _ = postgres.sql("ALTER DATABASE postgres SET standard_conforming_strings = off");
    let pool = pool(&postgres.url()).await;
    let store = store(&pool).await;
    remembers(&store).await;
    assert_eq!(
        store.claim(id(2), token(1), LEASE).await.unwrap(),
        Claim::Granted
    );
    let mut transaction = pool.begin().await.unwrap();
    let claimed = Claimed::new(id(2), token(1), RETENTION);
    assert!(store.commit_in(&claimed, &mut transaction).await.unwrap());
}

#[tokio::test]
async fn migrate_names_a_refused_connection_at_once() {
    let pool = PgPool::connect_lazy("postgres://127.0.0.1:1/x").unwrap();
    let store = SqlxStore::new(pool);
    let migrated = timeout(Duration::from_secs(4), store.migrate());
    let error = migrated.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::Unreachable, "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn purge_finds_expired_deliveries_by_the_index() {
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

#[tokio::test]
async fn read_only_server_is_an_error_until_it_is_writable_or_replaced() {
    let primary = Postgres::start().await;
    let address = |server: &Postgres| SocketAddr::from(([127, 0, 0, 1], server.port()));
    let proxy = Proxy::start(address(&primary)).await;
    // A single connection, because each connection reads the settings on its own.
    let store = store(&pool_of(1, &proxy.postgres_url()).await).await;
    let set_read_only = |is| {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {is}");
        let _ = primary.sql(&set);
        let _ = primary.sql("SELECT pg_reload_conf()");
    };
    let rejected = async || {
        // The server reloads its settings after a moment.
        let begin = Instant::now();
        loop {
            match store.claim(id(2), token(1), LEASE).await {
                Ok(_) if begin.elapsed() < Duration::from_secs(20) => {}
                result => break result.unwrap_err().kind(),
            }
        }
    };
    set_read_only("on");
    assert_eq!(rejected().await, SqlxStoreErrorKind::ReadOnly);
    let error = store.commit(id(2), token(1), RETENTION).await.unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::ReadOnly, "{error}");
    let error = store.release(id(2), token(1)).await.unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::ReadOnly, "{error}");
    // A server on a standby starts, and works after the failover.
    store.migrate().await.unwrap();
    set_read_only("off");
    while store.release(id(2), token(1)).await.is_err() {}

    // The address now points to the standby, while connections to the old primary stay open.
    let standby = primary.start_standby().await;
    remembers(&store).await;
    set_read_only("on");
    assert_eq!(rejected().await, SqlxStoreErrorKind::ReadOnly);
    proxy.set_target(address(&standby));
    assert_eq!(rejected().await, SqlxStoreErrorKind::ReadOnly);
    assert_eq!(standby.sql("SELECT pg_promote()"), "t");
    let claim = store.claim(id(1), token(4), LEASE).await.unwrap();
    assert_eq!(claim, Claim::Acknowledged);
    let claim = store.claim(id(3), token(4), LEASE).await.unwrap();
    assert_eq!(claim, Claim::Granted);
}

#[tokio::test]
async fn silent_connections_are_replaced() {
    let server = Postgres::start().await;
    let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into()).await;
    let store = store(&pool(&proxy.postgres_url()).await).await;
    // All connections of the pool wait for this lock while they become silent.
    let other = pool(&server.url()).await;
    let mut lock = other.begin().await.unwrap();
    sqlx::query("LOCK TABLE scrupp_deliveries")
        .execute(&mut *lock)
        .await
        .unwrap();
    let mut claims = JoinSet::new();
    for number in 0..10 {
        let store = store.clone();
        claims.spawn(async move {
            let claim = store.claim(id(number), token(1), LEASE);
            assert!(timeout(Duration::from_millis(900), claim).await.is_err());
        });
    }
    sleep(Duration::from_millis(600)).await;
    proxy.hold();
    claims.join_all().await;
    lock.rollback().await.unwrap();
    let claim = store.claim(id(20), token(1), LEASE);
    let claim = timeout(Duration::from_secs(10), claim).await.unwrap();
    assert_eq!(claim.unwrap(), Claim::Granted);
}

#[tokio::test]
async fn attempt_to_connect_outlives_its_caller() {
    let server = Postgres::start().await;
    store(&pool(&server.url()).await).await;
    let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into()).await;
    let lazy = PgPoolOptions::new().max_connections(4);
    let lazy = lazy.connect_lazy(&proxy.postgres_url()).unwrap();
    let store = SqlxStore::new(lazy.clone());
    server.pause(true);
    for number in 0..20 {
        let claim = store.claim(id(number), token(1), LEASE);
        let claim = timeout(Duration::from_millis(50), claim).await;
        assert!(claim.is_err(), "{claim:?}");
    }
    server.pause(false);
    // The store connects without a further operation.
    let connected = async {
        while lazy.num_idle() < 4 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), connected).await.unwrap();
    let claim = store.claim(id(20), token(1), LEASE).await.unwrap();
    assert_eq!(claim, Claim::Granted);
    assert_eq!(proxy.opened(), 4);
}

#[tokio::test]
async fn waits_at_most_a_second_for_another_transaction() {
    let server = Postgres::start().await;
    let single = pool_of(1, &server.url()).await;
    let store = store(&single).await;
    store.claim(id(1), token(1), LEASE).await.unwrap();
    let claimed = Claimed::new(id(1), token(1), RETENTION);
    let handlers = pool(&server.url()).await;
    let mut handler = handlers.begin().await.unwrap();
    assert!(store.commit_in(&claimed, &mut handler).await.unwrap());
    let blocked = async {
        [
            store.claim(id(1), token(2), LEASE).await.unwrap_err(),
            store.commit(id(1), token(2), LEASE).await.unwrap_err(),
            store.release(id(1), token(1)).await.unwrap_err(),
        ]
    };
    for error in timeout(Duration::from_secs(20), blocked).await.unwrap() {
        assert_eq!(error.kind(), SqlxStoreErrorKind::Busy, "{error}");
    }
    handler.commit().await.unwrap();
    let claim = store.claim(id(1), token(2), LEASE).await.unwrap();
    assert_eq!(claim, Claim::Acknowledged);
    // The lock timeout applies to the claim only.
    let limit = sqlx::query_scalar::<_, String>("SHOW lock_timeout");
    assert_eq!(limit.fetch_one(&single).await.unwrap(), "0");
}

#[tokio::test]
async fn commit_after_a_concurrent_write_is_false() {
    let server = Postgres::start().await;
    let pool = pool(&server.url()).await;
    let store = store(&pool).await;
    let claimed = Claimed::new(id(1), token(1), RETENTION);
    store.claim(id(1), token(1), LEASE).await.unwrap();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
    let mut handler = pool.begin_with(begin).await.unwrap();
    let read = sqlx::query("SELECT 1").execute(&mut *handler).await;
    read.unwrap();
    // Renews the claim in another transaction.
    store.claim(id(1), token(1), LEASE).await.unwrap();
    assert!(!store.commit_in(&claimed, &mut handler).await.unwrap());
    handler.rollback().await.unwrap();
    assert!(store.commit(id(1), token(1), RETENTION).await.unwrap());
}

#[tokio::test]
async fn sends_no_time_of_the_local_clock() {
    let server = Postgres::start().await;
    let store = store(&pool_of(1, &server.url()).await).await;
    let sent = async || {
        store.claim(id(1), token(1), LEASE).await.unwrap();
        let claim = "SELECT query FROM pg_stat_activity
            WHERE query LIKE '%INSERT INTO scrupp%' AND pid <> pg_backend_pid()";
        server.sql(claim)
    };
    let first = sent().await;
    assert!(first.contains("statement_timestamp() + 60000 "), "{first}");
    sleep(Duration::from_millis(1100)).await;
    assert_eq!(sent().await, first);
}

#[tokio::test]
async fn pool_without_a_connection_is_an_error() {
    let server = Postgres::start().await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(100));
    let pool = pool.connect(&server.url()).await.unwrap();
    let taken = pool.acquire().await.unwrap();
    let store = SqlxStore::new(pool);
    let error = store.claim(id(1), token(1), LEASE).await.unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::PoolExhausted, "{error}");
    drop(taken);
    store.migrate().await.unwrap();
}

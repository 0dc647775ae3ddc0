//! Time of a claim and its commit in SQLite, PostgreSQL and Redis.
//!
//! The baseline is the bare statements on a connection of the same kind. A second store holds a million ids.

use core::time::Duration;
use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use redis::aio::MultiplexedConnection;
use scrupp_verify_core::dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore};
use scrupp_verify_redis::RedisStore;
use scrupp_verify_sqlx::SqlxStore;
use scrupp_verify_tests::{Postgres, Redis};
use sqlx::{
    AssertSqlSafe, Executor, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    query, query_scalar, raw_sql,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{figure::Figure, load::Result, rounds::Rounds};

/// Number of ids in a full store.
const FULL: u64 = 1_000_000;

/// Number of deliveries in one turn.
const TURN: u32 = 20;

const LEASE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn figures(rounds: u32) -> Result<Vec<Figure>> {
    let runtime = Runtime::new()?;
    let mut figures = Vec::new();
    for name in ["sqlite", "postgres", "redis"] {
        let group = match name {
            "sqlite" => sqlite(&runtime, rounds)?,
            "postgres" => postgres(&runtime, rounds)?,
            _ => redis(&runtime, rounds)?,
        };
        figures.extend(group.into_iter().map(|mut figure| {
            figure.name = format!("{name}_store_{}", figure.name);
            figure
        }));
    }
    Ok(figures)
}

/// Times a store, its bare statements and a full store, interleaved. Also measures the rate of concurrent tasks.
fn measure<S>(
    runtime: &Runtime,
    rounds: u32,
    store: S,
    full: S,
    bare: impl AsyncFn(u64) -> Result<()>,
    bytes_per_id: f64,
) -> Result<Vec<Figure>>
where
    S: DeliveryStore<Error: core::error::Error + Send + Sync + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
{
    let turn = |deliver: &dyn Fn(u64)| {
        let start = Instant::now();
        (0..TURN).for_each(|_| deliver(next()));
        start.elapsed() / TURN
    };
    let mut timed = Rounds::default();
    timed.add_timed("bare", || {
        turn(&|number| runtime.block_on(bare(number)).expect("handled"))
    });
    timed.add_timed("store", || {
        turn(&|number| runtime.block_on(deliver(&store, number)))
    });
    timed.add_timed("full", || {
        turn(&|number| runtime.block_on(deliver(&full, number)))
    });
    let times = timed.run(rounds);
    let at_once = runtime.block_on(per_second(&store));
    Ok(vec![
        Figure::at_least("per_bare_statements", times.ratio("bare", "store"), 0.8),
        Figure::at_most(
            "time_with_1000000_ids_per_none",
            times.ratio("full", "store"),
            1.3,
        ),
        Figure::reported("claim_and_commit_microseconds", times.median("store") * 1e6),
        Figure::reported("claim_and_commit_per_second", at_once),
        Figure::reported("bytes_per_id", bytes_per_id),
    ])
}

/// Returns the number of a new delivery.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn key(number: u64) -> (DeliveryId, ClaimToken) {
    let id = DeliveryId::of(&[&number.to_be_bytes()]);
    (id, ClaimToken::from_bytes(u128::from(number).to_be_bytes()))
}

async fn deliver<S: DeliveryStore<Error: core::error::Error>>(store: &S, number: u64) {
    let (id, token) = key(number);
    let claim = store.claim(id, token, LEASE).await;
    assert_eq!(claim.expect("claimed"), Claim::Granted);
    assert!(store.commit(id, token, DAY).await.expect("committed"));
}

/// Returns the claims and commits per second of 64 tasks, measured for three seconds.
async fn per_second<S>(store: &S) -> f64
where
    S: DeliveryStore<Error: core::error::Error> + Clone + Send + Sync + 'static,
{
    let start = Instant::now();
    let done = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (store, done) = (store.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            while start.elapsed() < Duration::from_secs(3) {
                deliver(&store, next()).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tasks.join_all().await;
    done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

fn sqlite(runtime: &Runtime, rounds: u32) -> Result<Vec<Figure>> {
    const CLAIM: &str = "
        INSERT INTO scrupp_deliveries AS d (id, token, expires_at)
        VALUES ($1, $2, CAST(unixepoch('subsec') * 1000 AS INTEGER) + $3)
        ON CONFLICT (id) DO UPDATE SET token = CASE
          WHEN d.expires_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) THEN excluded.token
          ELSE d.token END
        RETURNING token";
    const COMMIT: &str = "
        UPDATE scrupp_deliveries SET token = NULL,
          expires_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) + $3
        WHERE id = $1 AND token = $2 RETURNING 1";
    let folder = Folder::new()?;
    let open = |name: &str| {
        let options = SqliteConnectOptions::new()
            .filename(folder.0.join(name))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(1);
        let pool = pool.connect_lazy_with(options);
        (SqlxStore::new(pool.clone()), pool)
    };
    let ((store, pool), (full, filled)) = {
        let _entered = runtime.enter();
        (open("store.db"), open("full.db"))
    };
    let bytes_per_id = runtime.block_on(async {
        store.migrate().await?;
        full.migrate().await?;
        fill_sqlite(&filled).await
    })?;
    let bare = async |number| {
        let (id, token) = key(number);
        for (statement, duration) in [(CLAIM, LEASE), (COMMIT, DAY)] {
            let statement = query(statement)
                .bind(&id.as_bytes()[..])
                .bind(&token.as_bytes()[..])
                .bind(duration.as_millis() as i64);
            assert_eq!(statement.fetch_all(&pool).await?.len(), 1);
        }
        Ok(())
    };
    measure(runtime, rounds, store, full, bare, bytes_per_id)
}

/// Fills a table with acknowledged deliveries. Returns the bytes of the file per id.
async fn fill_sqlite(pool: &SqlitePool) -> Result<f64> {
    let mut connection = pool.acquire().await?;
    for _ in 0..10 {
        let insert = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})
             INSERT INTO scrupp_deliveries
             SELECT randomblob(16), randomblob(16), (unixepoch() + 60) * 1000 + i FROM n",
            FULL / 10
        );
        connection.execute(AssertSqlSafe(insert)).await?;
        let commit = "UPDATE scrupp_deliveries SET token = NULL, expires_at = expires_at + 86400000
                      WHERE token IS NOT NULL";
        connection.execute(commit).await?;
    }
    connection
        .execute("PRAGMA wal_checkpoint(TRUNCATE)")
        .await?;
    let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let size: i64 = query_scalar(size).fetch_one(&mut *connection).await?;
    Ok(size as f64 / FULL as f64)
}

fn postgres(runtime: &Runtime, rounds: u32) -> Result<Vec<Figure>> {
    const CLAIM: &str = "
        INSERT INTO scrupp_deliveries AS d (id, token, expires_at)
        VALUES ('{id}', '{token}', statement_timestamp() + interval '60 s')
        ON CONFLICT (id) DO UPDATE SET token = CASE
          WHEN d.expires_at <= statement_timestamp() THEN excluded.token ELSE d.token END
        RETURNING encode(token, 'hex');
        DELETE FROM scrupp_deliveries WHERE id IN (
          SELECT id FROM scrupp_deliveries WHERE expires_at <= statement_timestamp()
          ORDER BY expires_at LIMIT 4 FOR UPDATE SKIP LOCKED)";
    const COMMIT: &str = "
        UPDATE scrupp_deliveries
        SET token = NULL, expires_at = statement_timestamp() + interval '1 day'
        WHERE id = '{id}' AND token = '{token}' RETURNING 1";
    let server = runtime.block_on(Postgres::start());
    let options: PgConnectOptions = server.url().parse()?;
    let (store, full, pool) = {
        let _entered = runtime.enter();
        let pool = PgPoolOptions::new().connect_lazy_with(options);
        let full = SqlxStore::new(pool.clone()).table("full_deliveries")?;
        (SqlxStore::new(pool.clone()), full, pool)
    };
    let bytes_per_id = runtime.block_on(async {
        store.migrate().await?;
        full.migrate().await?;
        fill_postgres(&pool).await
    })?;
    let bare = async |number| {
        let (id, token) = key(number);
        for statement in [CLAIM, COMMIT] {
            let statement = statement
                .replace("{id}", &format!("\\x{id}"))
                .replace("{token}", &format!("\\x{}", hex::encode(token.as_bytes())));
            let rows = pool.fetch_all(raw_sql(AssertSqlSafe(statement))).await?;
            assert_eq!(rows.len(), 1);
        }
        Ok(())
    };
    measure(runtime, rounds, store, full, bare, bytes_per_id)
}

/// Fills a table with acknowledged deliveries. Returns the bytes of the table and its indexes per id.
///
/// Runs `VACUUM` regularly, as autovacuum would.
async fn fill_postgres(pool: &PgPool) -> Result<f64> {
    for batch in 0..100 {
        let first = batch * FULL / 100;
        let (last, id) = (
            first + FULL / 100 - 1,
            "substr(sha256(i::text::bytea), 1, 16)",
        );
        let insert = format!(
            "INSERT INTO full_deliveries SELECT {id}, {id}, now() + interval '1 min'
             FROM generate_series({first}, {last}) i"
        );
        pool.execute(AssertSqlSafe(insert)).await?;
        let commit = format!(
            "UPDATE full_deliveries SET token = NULL, expires_at = now() + i * interval '1 day' / {FULL} + interval '1 day'
             FROM generate_series({first}, {last}) i WHERE id = {id}"
        );
        pool.execute(AssertSqlSafe(commit)).await?;
        if batch % 10 == 9 {
            pool.execute("VACUUM ANALYZE full_deliveries").await?;
        }
    }
    let size = "SELECT pg_total_relation_size('full_deliveries')";
    let size: i64 = query_scalar(size).fetch_one(pool).await?;
    Ok(size as f64 / FULL as f64)
}

fn redis(runtime: &Runtime, rounds: u32) -> Result<Vec<Figure>> {
    const CLAIM: &str = "
        local held = redis.call('GET', KEYS[1])
        if held then return held end
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        return 'granted'";
    const COMMIT: &str = "
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return '0' end
        redis.call('SET', KEYS[1], 'acknowledged', 'PX', ARGV[2])
        return '1'";
    // A common setup: Redis writes acknowledged commands to the disk within a second.
    let options = ["--appendfsync", "everysec"];
    let (empty, filled) = (Redis::start(&options), Redis::start(&options));
    let bytes_per_id = fill_redis(&filled)?;
    let (store, full, connection) = runtime.block_on(async {
        let client = redis::Client::open(empty.url())?;
        let connection = client.get_multiplexed_async_connection().await?;
        Result::Ok((
            RedisStore::new(&empty.url())?,
            RedisStore::new(&filled.url())?,
            connection,
        ))
    })?;
    let bare = async |number| bare_redis(connection.clone(), number, [CLAIM, COMMIT]).await;
    let mut figures = measure(runtime, rounds, store.clone(), full, bare, bytes_per_id)?;
    let asked = || ["eval", "evalsha", "script|load"].map(|command| empty.calls(command));
    let before: u64 = asked().iter().sum();
    let (id, token) = key(next());
    runtime.block_on(store.claim(id, token, LEASE))?;
    let asked = asked().iter().sum::<u64>() - before;
    figures.push(Figure::at_most("claim_round_trips", asked as f64, 1.0));
    Ok(figures)
}

async fn bare_redis(
    mut connection: MultiplexedConnection,
    number: u64,
    scripts: [&str; 2],
) -> Result<()> {
    let (id, token) = key(number);
    for (script, duration) in scripts.into_iter().zip([LEASE, DAY]) {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(1);
        command.arg(format!("scrupp:delivery:{id}"));
        command.arg(hex::encode(token.as_bytes()));
        command.arg(duration.as_millis() as u64);
        let _: String = command.query_async(&mut connection).await?;
    }
    Ok(())
}

/// Fills a server with acknowledged deliveries. Returns the bytes of memory per id.
fn fill_redis(redis: &Redis) -> Result<f64> {
    const FILL: &str = "
        for i = ARGV[1], ARGV[2] do
          redis.call('SET', 'scrupp:delivery:' .. redis.sha1hex(i):sub(1, 32), 'acknowledged', 'PX', 86400000)
        end";
    let memory = || -> Result<u64> {
        let info: String = redis.run(&["INFO", "memory"]);
        let used = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        Ok(used
            .ok_or("Redis does not report used_memory")?
            .trim()
            .parse()?)
    };
    let before = memory()?;
    for batch in 0..100 {
        let (first, last) = (batch * FULL / 100, (batch + 1) * FULL / 100 - 1);
        let [first, last] = [first, last].map(|number| number.to_string());
        let (): () = redis.run(&["EVAL", FILL, "0", &first, &last]);
    }
    Ok((memory()? - before) as f64 / FULL as f64)
}

/// Temporary folder that is removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("scrupp-bench-{}", process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(Path::new(&self.0));
    }
}

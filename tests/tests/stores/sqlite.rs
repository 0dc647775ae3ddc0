//! SQLite.

use core::time::Duration;
use std::{
    env, fs,
    io::{BufRead, BufReader, Write, stdin},
    process::{Command, Stdio},
    time::Instant,
};

use scrupp_verify_core::dedup::{Claim, Claimed, DeliveryStore};
use scrupp_verify_sqlx::{SqlxStore, SqlxStoreErrorKind};
use sqlx::{
    Row, Sqlite, query, query_scalar,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    },
};

use crate::{Directory, LEASE, RETENTION, id, processes::Shared, remembers, suite::Shape, token};

/// A database file.
pub(crate) struct File {
    directory: Directory,
    handler: SqlitePool,
}

impl Shape for File {
    type Store = SqlxStore<Sqlite>;

    async fn start() -> Self {
        let directory = Directory::new();
        store(&directory).await;
        let handler = SqlitePoolOptions::new().connect_with(options(&directory));
        let handler = handler.await.unwrap();
        Self { directory, handler }
    }

    async fn store(&self) -> SqlxStore<Sqlite> {
        Self::connect(&self.address()).await
    }

    async fn commit_in(&self, store: &SqlxStore<Sqlite>, claimed: &Claimed) -> Option<bool> {
        let mut transaction = self.handler.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let committed = store.commit_in(claimed, &mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
        Some(committed)
    }
}

impl Shared for File {
    fn address(&self) -> String {
        self.directory.file().to_str().unwrap().to_owned()
    }

    async fn connect(address: &str) -> SqlxStore<Sqlite> {
        SqlxStore::sqlite_file(address)
    }
}

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
async fn remembers_acknowledgements_after_a_restart() {
    let directory = Directory::new();
    remembers(&store(&directory).await).await;
    let again = store(&directory).await;
    let claim = again.claim(id(1), token(9), LEASE).await;
    assert_eq!(claim.unwrap(), Claim::Acknowledged);
}

#[tokio::test]
async fn claims_remove_expired_deliveries_by_the_index() {
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

    // After a rollback, the claim is still held, until it is released.
    assert_eq!(claim(1, LEASE).await, Claim::Granted);
    assert!(effect(&a, false).await);
    store.release(id(1), token(1)).await.unwrap();
    // `a` is late: `b` claims and commits first.
    assert_eq!(claim(1, Duration::ZERO).await, Claim::Granted);
    assert_eq!(claim(2, LEASE).await, Claim::Granted);
    assert!(effect(&b, true).await);
    assert!(!effect(&a, true).await);
    // A later commit by the adapter succeeds without a change, and a release has no effect.
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
async fn settings_without_durable_commits_are_rejected() {
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
async fn older_release_accepts_a_newer_compatible_format_only() {
    let directory = Directory::new();
    let old = store(&directory).await;
    let pool = SqlitePoolOptions::new().connect_with(options(&directory));
    let pool = pool.await.unwrap();
    // A newer release adds a column that older releases ignore.
    query("ALTER TABLE scrupp_deliveries ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0")
        .execute(&pool)
        .await
        .unwrap();
    let set = "UPDATE scrupp_deliveries_format SET format = 2, oldest = $1";
    query(set).bind(1).execute(&pool).await.unwrap();
    old.migrate().await.unwrap();
    remembers(&old).await;
    // A still newer release changes what older releases need.
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

    let options = self::options(&directory).pragma("max_page_count", "10");
    let options = options.synchronous(SqliteSynchronous::Off);
    let full = SqlxStore::new(SqlitePoolOptions::new().connect_lazy_with(options));
    let mut number = 0;
    let error = loop {
        match full.claim(id(number), token(1), LEASE).await {
            Ok(claim) => assert_eq!((claim, number < 1000), (Claim::Granted, true)),
            Err(error) => break error,
        }
        number += 1;
    };
    assert_eq!(error.kind(), SqlxStoreErrorKind::Full, "{error}");
}

#[tokio::test]
async fn removed_or_replaced_file_is_an_error() {
    for is_replaced in [false, true] {
        let (directory, other) = (Directory::new(), Directory::new());
        let store = store(&directory).await;
        let pool = SqlitePoolOptions::new().connect_with(options(&directory));
        let pool = pool.await.unwrap();
        let claim = store.claim(id(1), token(1), LEASE).await.unwrap();
        assert_eq!(claim, Claim::Granted);
        match is_replaced {
            true => {
                self::store(&other).await;
                fs::rename(other.file(), directory.file()).unwrap();
            }
            false => fs::remove_file(directory.file()).unwrap(),
        }
        let claimed = Claimed::new(id(1), token(1), RETENTION);
        let mut transaction = pool.begin().await.unwrap();
        let committed = store.commit_in(&claimed, &mut transaction).await;
        transaction.rollback().await.unwrap();
        for error in [
            committed.unwrap_err(),
            store.claim(id(2), token(1), LEASE).await.unwrap_err(),
            store.commit(id(1), token(1), RETENTION).await.unwrap_err(),
            store.migrate().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), SqlxStoreErrorKind::Io, "{error}");
            assert!(
                error
                    .to_string()
                    .contains("deliveries.db was removed or replaced")
            );
        }
    }
}

#[tokio::test]
async fn migrate_rejects_a_read_only_file() {
    let directory = Directory::new();
    store(&directory).await;
    let options = options(&directory).read_only(true).create_if_missing(false);
    let pool = SqlitePoolOptions::new().connect_with(options);
    let error = SqlxStore::new(pool.await.unwrap())
        .migrate()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::ReadOnly, "{error}");
}

#[tokio::test]
async fn database_locked_by_another_process_is_a_busy_error_in_time() {
    let directory = Directory::new();
    let store = store(&directory).await;
    let mut other = Command::new("sqlite3")
        .arg(directory.file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = other.stdin.take().unwrap();
    input
        .write_all(b"BEGIN IMMEDIATE;\n.print begun\n")
        .unwrap();
    let mut output = BufReader::new(other.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();

    let begin = Instant::now();
    let error = store.claim(id(1), token(1), LEASE).await.unwrap_err();
    assert_eq!(error.kind(), SqlxStoreErrorKind::Busy, "{error}");
    let lasted = begin.elapsed();
    assert!(lasted < Duration::from_secs(5), "{lasted:?}");
    // A process can start meanwhile.
    store.migrate().await.unwrap();
    drop(input);
    other.wait().unwrap();
    remembers(&store).await;
}

#[tokio::test]
async fn commit_after_a_concurrent_write_is_false() {
    let directory = Directory::new();
    let store = store(&directory).await;
    let pool = SqlitePoolOptions::new().connect_with(options(&directory));
    let pool = pool.await.unwrap();
    let claimed = Claimed::new(id(1), token(1), RETENTION);
    let claim = async |number| store.claim(id(number), token(1), LEASE).await.unwrap();
    assert_eq!(claim(1).await, Claim::Granted);
    // Without IMMEDIATE, the transaction reads before another one writes.
    let mut transaction = pool.begin().await.unwrap();
    let read = "SELECT count(*) FROM scrupp_deliveries";
    let read = query_scalar::<_, i64>(read).fetch_one(&mut *transaction);
    assert_eq!(read.await.unwrap(), 1);
    assert_eq!(claim(2).await, Claim::Granted);
    let committed = store.commit_in(&claimed, &mut transaction).await;
    assert!(!committed.unwrap());
    transaction.rollback().await.unwrap();
    assert!(store.commit(id(1), token(1), RETENTION).await.unwrap());
}

/// Runs the test `fills_the_disk` in a process with a file size limit of 400 KiB, and then lifts the
/// limit.
#[tokio::test]
async fn full_disk_rejects_claims_and_loses_no_acknowledgement() {
    let directory = Directory::new();
    store(&directory).await;
    let mut worker = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(env::current_exe().unwrap())
        .args([
            "--exact",
            "sqlite::fills_the_disk",
            "--ignored",
            "--nocapture",
        ])
        .env(FILE, directory.file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = worker.stdin.take().unwrap();
    let mut said = BufReader::new(worker.stdout.take().unwrap()).lines();
    for (fsize, step) in [("409600", "full"), ("unlimited", "works")] {
        let limit = Command::new("prlimit")
            .args(["--pid", &worker.id().to_string()])
            .arg(format!("--fsize={fsize}:unlimited"))
            .status();
        assert!(limit.unwrap().success());
        input.write_all(b"\n").unwrap();
        assert!(said.any(|line| line.unwrap() == step), "{step}");
    }
    let acknowledged: u64 = said
        .find_map(|line| line.unwrap().strip_prefix("acknowledged ")?.parse().ok())
        .unwrap();
    assert!(worker.wait().unwrap().success());
    let store = SqlxStore::sqlite_file(directory.file());
    for number in 0..acknowledged {
        let claim = store.claim(id(number), token(2), LEASE).await.unwrap();
        assert_eq!(claim, Claim::Acknowledged, "{number}");
    }
}

const FILE: &str = "SCRUPP_STORE_FILE";

#[tokio::test]
#[ignore = "runs as a process of the test above"]
async fn fills_the_disk() {
    let Ok(file) = env::var(FILE) else { return };
    let store = SqlxStore::sqlite_file(file);
    let wait = || stdin().read_line(&mut String::new()).unwrap();
    wait();
    let mut number = 0;
    let deliver = async |number| {
        let claim = store.claim(id(number), token(1), LEASE).await?;
        assert_eq!(claim, Claim::Granted);
        store.commit(id(number), token(1), RETENTION).await
    };
    let error = loop {
        match deliver(number).await {
            Ok(is_committed) => assert!(is_committed),
            Err(error) => break error,
        }
        number += 1;
    };
    assert_eq!(error.kind(), SqlxStoreErrorKind::Io, "{error}");
    for later in 1..20 {
        let claim = store.claim(id(number + later), token(1), LEASE).await;
        assert_eq!(claim.unwrap_err().kind(), SqlxStoreErrorKind::Io);
    }
    println!("\nfull");
    wait();
    for _ in 0..20 {
        assert!(deliver(number).await.unwrap());
        number += 1;
    }
    println!("\nworks\nacknowledged {number}");
}

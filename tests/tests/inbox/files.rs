use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use scrupp_verify_tests::{Connection, Step, TaskApi};
use tokio::time::sleep;

use crate::{Directory, completed, deliver, row, run, send, start};

#[tokio::test]
async fn acknowledges_nothing_after_its_files_are_removed_or_replaced() {
    type Change = fn(&Directory);
    let changes: [(&str, Change); 7] = [
        ("all-removed", |directory| {
            for suffix in ["", "-wal", "-shm"] {
                fs::remove_file(directory.path(suffix)).unwrap();
            }
        }),
        ("database-removed", |directory| {
            fs::remove_file(directory.path("")).unwrap();
        }),
        ("log-removed", |directory| {
            fs::remove_file(directory.path("-wal")).unwrap();
        }),
        ("index-removed", |directory| {
            fs::remove_file(directory.path("-shm")).unwrap();
        }),
        ("replaced", |directory| {
            fs::copy(directory.path(""), directory.path(".copy")).unwrap();
            fs::rename(directory.path(".copy"), directory.path("")).unwrap();
        }),
        ("truncated", |directory| {
            File::create(directory.path("")).unwrap();
        }),
        ("directory-renamed", |directory| {
            let renamed = directory.0.with_extension("renamed");
            fs::rename(&directory.0, &renamed).unwrap();
            fs::create_dir(&directory.0).unwrap();
            fs::remove_dir_all(renamed).unwrap();
        }),
    ];
    let api = TaskApi::start().await;
    for (name, change) in changes {
        let directory = Directory::new(name);
        let inbox = start(&directory.database_url(), &api, &[]).await;
        deliver(inbox.address(), &completed(1)).await;
        row(&inbox, 1, "stored").await;
        assert_eq!(inbox.get("/healthz").await.status, 200, "{name}");

        change(&directory);
        for process_id in [1, 2] {
            let status = send(inbox.address(), completed(process_id).as_bytes()).await;
            assert_eq!(status, 503, "{name}, task {process_id}");
        }
        assert_eq!(inbox.get("/healthz").await.status, 503, "{name}");
        assert_eq!(inbox.get("/deliveries").await.status, 503, "{name}");
        let said = inbox.said();
        let error = ["was removed or replaced", "was truncated"];
        assert!(
            said.lines().any(
                |line| line.contains("ERROR") && error.iter().any(|error| line.contains(error))
            ),
            "{name}: {said}"
        );
    }
}

#[tokio::test]
async fn follows_a_symbolic_link_until_it_is_replaced() {
    let (directory, api) = (Directory::new("link"), TaskApi::start().await);
    let (link, target) = (directory.path(""), directory.path(".target"));
    symlink(&target, &link).unwrap();
    let inbox = start(&directory.database_url(), &api, &[]).await;
    deliver(inbox.address(), &completed(1)).await;
    row(&inbox, 1, "stored").await;

    fs::copy(&target, directory.path(".copy")).unwrap();
    fs::remove_file(&link).unwrap();
    symlink(directory.path(".copy"), &link).unwrap();
    assert_eq!(send(inbox.address(), completed(2).as_bytes()).await, 503);
    assert_eq!(inbox.get("/healthz").await.status, 503);
}

#[tokio::test]
async fn works_after_a_checkpoint_or_vacuum_by_another_program() {
    let (directory, api) = (Directory::new("checkpoint"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    for (process_id, sql) in (1..).zip(["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM"]) {
        deliver(inbox.address(), &completed(process_id)).await;
        row(&inbox, process_id, "stored").await;
        let _ = directory.sql(sql);
        assert_eq!(inbox.get("/healthz").await.status, 200, "{sql}");
        assert_eq!(
            send(inbox.address(), completed(process_id).as_bytes()).await,
            200
        );
    }
}

#[tokio::test]
async fn busy_database_is_unhealthy_after_two_seconds() {
    let (directory, api) = (Directory::new("busy"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    let mut other = Command::new("sqlite3")
        .arg(directory.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = other.stdin.take().unwrap();
    input
        .write_all(b".timeout 5000\nBEGIN IMMEDIATE;\n")
        .unwrap();
    let begin = Instant::now();
    while inbox.get("/healthz").await.status == 200 {
        assert!(begin.elapsed() < Duration::from_secs(10), "healthy");
        sleep(Duration::from_millis(20)).await;
    }
    let begin = Instant::now();
    assert_eq!(inbox.get("/healthz").await.status, 503);
    assert!(
        begin.elapsed() < Duration::from_millis(3500),
        "{:?}",
        begin.elapsed()
    );

    drop(input);
    other.wait().unwrap();
    while inbox.get("/healthz").await.status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(20), "unhealthy");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn responds_to_a_head_request_for_health() {
    let (directory, api) = (Directory::new("head"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    let mut connection = Connection::open(inbox.address()).await.unwrap();
    let request = "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    connection
        .send(&[Step::Send(request.into())])
        .await
        .unwrap();
    assert_eq!(connection.response().await.unwrap().status, 200);
}

#[tokio::test]
async fn rejects_a_database_without_durable_commits() {
    let directory = Directory::new("memory");
    let file = directory.database_url();
    let in_memory = "DATABASE_URL: expected a file, not an in-memory database";
    let not_durable = "DATABASE_URL: no durable commits: journal_mode = ";
    for (url, message) in [
        ("sqlite::memory:", in_memory),
        ("sqlite://:memory:", in_memory),
        (&format!("{file}?mode=memory"), in_memory),
        (&format!("{file}?mode=rwc&vfs=memdb"), in_memory),
        ("sqlite:", not_durable),
        (&format!("{file}?mode=rwc&immutable=1"), not_durable),
    ] {
        let environment = [("DATABASE_URL", url)];
        let ended = run(&[], &environment).await;
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{url}: {errors}");
        assert!(errors.starts_with(message), "{url}: {errors}");
    }
}

#[tokio::test]
async fn rejects_a_table_with_other_columns_and_a_read_only_database() {
    let (directory, api) = (Directory::new("layout"), TaskApi::start().await);
    let _ = directory.sql("CREATE TABLE deliveries (delivery_id TEXT PRIMARY KEY, payload TEXT)");
    let url = directory.database_url();
    let error = async |url: &str| {
        let ended = run(&[], &[("DATABASE_URL", url)]).await;
        assert_eq!(ended.status.code(), Some(2));
        String::from_utf8(ended.stderr).unwrap()
    };
    let other_columns = error(&url).await;
    let message = "DATABASE_URL: ";
    assert!(other_columns.starts_with(message), "{other_columns}");
    assert!(other_columns.contains("no such column"), "{other_columns}");

    let _ = directory.sql("DROP TABLE deliveries");
    start(&url, &api, &[]).await.kill().await;
    let read_only = error(&format!("{url}?mode=ro")).await;
    assert!(read_only.starts_with(message), "{read_only}");
    assert!(read_only.contains("readonly database"), "{read_only}");
}

#[tokio::test]
async fn accepts_an_existing_table_with_text_bodies() {
    let (directory, api) = (Directory::new("text"), TaskApi::start().await);
    let _ = directory.sql(&format!(
        "CREATE TABLE deliveries (delivery_id TEXT PRIMARY KEY, process_id TEXT,
            body TEXT NOT NULL, received_at BIGINT NOT NULL, due_at BIGINT,
            attempts BIGINT NOT NULL, error TEXT, result TEXT);
        INSERT INTO deliveries VALUES ('first', '1', '{}', 1, 1, 0, NULL, NULL)",
        completed(1)
    ));
    let inbox = start(&directory.database_url(), &api, &[]).await;
    deliver(inbox.address(), &completed(2)).await;
    row(&inbox, 1, "stored").await;
    row(&inbox, 2, "stored").await;
    assert_eq!(send(inbox.address(), b"\xff").await, 200);
    assert_eq!(
        directory.sql("SELECT count(*) FROM deliveries WHERE body = x'ff'"),
        "1"
    );
}

/// Simulates a full disk: SQLite rolls back the transactions of tasks up to 50, and the commits of
/// tasks from 51 to 100 fail.
#[tokio::test]
async fn keeps_acknowledged_deliveries_after_failed_commits() {
    let (directory, api) = (Directory::new("full"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    let _ = directory.sql(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER rolled_back AFTER INSERT ON deliveries
        WHEN CAST(NEW.process_id AS INTEGER) <= 50
        BEGIN SELECT RAISE(ROLLBACK, 'disk is full'); END;
        CREATE TRIGGER not_committed AFTER INSERT ON deliveries
        WHEN CAST(NEW.process_id AS INTEGER) BETWEEN 51 AND 100
        BEGIN INSERT INTO child VALUES (1); END",
    );
    for process_id in (1..=20).chain(51..=70) {
        let status = send(inbox.address(), completed(process_id).as_bytes()).await;
        assert_eq!(status, 503);
    }
    for process_id in 101..=120 {
        deliver(inbox.address(), &completed(process_id)).await;
        let kept = directory.sql("SELECT count(*) FROM deliveries");
        assert_eq!(kept, (process_id - 100).to_string());
    }
    row(&inbox, 120, "stored").await;
}

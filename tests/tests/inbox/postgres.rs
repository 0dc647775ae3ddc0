use core::time::Duration;
use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use scrupp_verify_tests::{
    PgBouncer, Postgres, Retries, ScriptedResponse, Scrupp, TaskApi, is_acknowledged,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::sleep,
};

use crate::{completed, deliver, result, row, run, send, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn works_behind_pgbouncer_in_transaction_mode() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::start(&postgres, "").await;
    let api = TaskApi::start().await;
    let inbox = start(&bouncer.url(), &api, &[]).await;
    const DELIVERIES: u64 = 120;
    let address = inbox.address();
    let mut senders = JoinSet::new();
    for sender in 0..8 {
        senders.spawn(async move {
            let scrupp = Scrupp::new(Retries::NewHeaders);
            for process_id in (1..=DELIVERIES).filter(|id| id % 8 == sender) {
                let attempts = scrupp.deliver(&[address], &completed(process_id)).await;
                assert!(is_acknowledged(&attempts));
                assert_eq!(attempts.len(), 1, "task {process_id}: {attempts:?}");
            }
        });
    }
    senders.join_all().await;
    for process_id in 1..=DELIVERIES {
        assert_eq!(row(&inbox, process_id, "stored").await["attempts"], 1);
        assert_eq!(api.fetches(process_id).len(), 1);
    }
    let said = inbox.said();
    assert!(!said.contains("ERROR"), "{said}");
    assert_eq!(inbox.get("/healthz").await.status, 200);
    assert_eq!(postgres.sql("SELECT count(*) FROM deliveries"), "120");
}

#[tokio::test]
async fn needs_no_right_to_create_a_table_that_exists() {
    let postgres = Postgres::start().await;
    let api = TaskApi::start().await;
    start(&postgres.url(), &api, &[]).await.kill().await;
    let _ = postgres.sql(
        "CREATE ROLE limited LOGIN;
        GRANT SELECT, INSERT, UPDATE ON deliveries TO limited;
        REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    );
    let inbox = start(&postgres.url_of("limited"), &api, &[]).await;
    deliver(inbox.address(), &completed(1)).await;
    row(&inbox, 1, "stored").await;
}

#[tokio::test]
async fn rejects_a_role_that_may_not_insert_or_update() {
    let postgres = Postgres::start().await;
    let api = TaskApi::start().await;
    start(&postgres.url(), &api, &[]).await.kill().await;
    for (role, rights) in [
        ("updater", "SELECT, UPDATE"),
        ("inserter", "SELECT, INSERT"),
    ] {
        let _ = postgres.sql(&format!(
            "CREATE ROLE {role} LOGIN; GRANT {rights} ON deliveries TO {role}"
        ));
        let ended = run(&[], &[("DATABASE_URL", postgres.url_of(role))]).await;
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{errors}");
        let message = "permission denied for table deliveries";
        assert!(errors.contains(message), "{rights}: {errors}");
    }
}

#[tokio::test]
async fn fetches_results_if_bytea_output_is_escape() {
    let postgres = Postgres::start().await;
    let _ = postgres.sql("ALTER DATABASE postgres SET bytea_output = 'escape'");
    let api = TaskApi::start().await;
    let inbox = start(&postgres.url(), &api, &[]).await;
    deliver(inbox.address(), &completed(1)).await;
    assert_eq!(row(&inbox, 1, "stored").await["attempts"], 1);
    assert_eq!(result(&inbox, 1).await, (200, TaskApi::result(1, 1)));
}

#[tokio::test]
async fn acknowledges_nothing_while_the_database_is_read_only() {
    let postgres = Postgres::start().await;
    let api = TaskApi::start().await;
    let inbox = start(&postgres.url(), &api, &[]).await;
    assert_eq!(inbox.get("/healthz").await.status, 200);
    let set_read_only = |is| {
        let _ = postgres.sql(&format!(
            "BEGIN READ WRITE; ALTER ROLE test SET default_transaction_read_only = {is}; COMMIT"
        ));
        // The setting applies to new connections only.
        let _ = postgres.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        );
    };
    set_read_only("on");
    assert_eq!(send(inbox.address(), completed(1).as_bytes()).await, 503);
    assert_eq!(inbox.get("/healthz").await.status, 503);
    set_read_only("off");
    deliver(inbox.address(), &completed(1)).await;
}

#[tokio::test]
async fn rejects_a_table_whose_body_is_text() {
    let postgres = Postgres::start().await;
    let _ = postgres.sql(
        "CREATE TABLE deliveries (delivery_id TEXT PRIMARY KEY, process_id TEXT, body TEXT,
        received_at BIGINT, due_at BIGINT, attempts BIGINT, error TEXT, result TEXT)",
    );
    let ended = run(&[], &[("DATABASE_URL", postgres.url())]).await;
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{errors}");
    let message = "DATABASE_URL: the table \"deliveries\" is unusable: ";
    let is_said = |line: &str| line.starts_with(message) && line.contains("text = bytea");
    assert!(errors.lines().any(is_said), "{errors}");
}

#[tokio::test]
async fn rejects_a_database_in_another_encoding_than_utf8() {
    let postgres = Postgres::start().await;
    let _ = postgres.sql(
        "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    let url = format!("postgres://test@127.0.0.1:{}/latin", postgres.port());
    let ended = run(&[], &[("DATABASE_URL", url)]).await;
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{errors}");
    let message = "DATABASE_URL: expected a database in UTF8, not in LATIN1\n";
    assert_eq!(errors, message);
}

#[tokio::test]
async fn recovers_from_silent_connections() {
    let postgres = Postgres::start().await;
    let (port, silence) = silent_proxy(postgres.port()).await;
    let api = TaskApi::start().await;
    let url = format!("postgres://test@127.0.0.1:{port}/postgres");
    let inbox = start(&url, &api, &[]).await;
    deliver(inbox.address(), &completed(1)).await;
    row(&inbox, 1, "stored").await;

    // All workers wait for this lock while their connections become silent.
    let lock = "BEGIN; LOCK TABLE deliveries; SELECT pg_sleep(4); COMMIT";
    let mut locked = Command::new("psql")
        .args([&postgres.url(), "--quiet", "--command", lock])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(2500)).await;
    silence.send_replace(());
    assert!(locked.wait().unwrap().success());

    let sender = Scrupp::new(Retries::NewHeaders).timeout(Duration::from_secs(8));
    let event = completed(2);
    let attempts = sender.deliver(&[inbox.address()], &event).await;
    assert!(is_acknowledged(&attempts), "{attempts:?}");
    let begin = Instant::now();
    while postgres.sql("SELECT count(result) FROM deliveries") != "2" {
        let elapsed = begin.elapsed();
        assert!(elapsed < Duration::from_secs(30), "{}", inbox.said());
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn stores_a_result_of_4_mib() {
    let postgres = Postgres::start().await;
    let api = TaskApi::start().await;
    let inbox = start(&postgres.url(), &api, &[]).await;
    let large = format!("\"\\\\'$1{}\"", "\u{e4}".repeat(2 * 1024 * 1024));
    api.script_fetches(1, [ScriptedResponse::Body(large.clone().into_bytes())]);
    deliver(inbox.address(), &completed(1)).await;
    assert_eq!(row(&inbox, 1, "stored").await["attempts"], 1);
    assert!(result(&inbox, 1).await == (200, large));
}

#[tokio::test]
async fn timed_out_requests_leave_no_silent_connection() {
    let postgres = Postgres::start().await;
    let (port, silence) = silent_proxy(postgres.port()).await;
    let api = TaskApi::start().await;
    let url = format!("postgres://test@127.0.0.1:{port}/postgres");
    let inbox = Arc::new(start(&url, &api, &[]).await);
    // Occupies every worker with a fetch, so that none uses a connection.
    for process_id in 1..=4 {
        api.script_fetches(
            process_id,
            [ScriptedResponse::Slow(Duration::from_secs(60))],
        );
        deliver(inbox.address(), &completed(process_id)).await;
    }
    while (1..=4).any(|process_id| api.fetches(process_id).is_empty()) {
        sleep(Duration::from_millis(10)).await;
    }
    let lock = "BEGIN; LOCK TABLE deliveries; SELECT pg_sleep(5); COMMIT";
    let mut locked = Command::new("psql")
        .args([&postgres.url(), "--quiet", "--command", lock])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted";
    while postgres.sql(locks) == "0" {
        sleep(Duration::from_millis(10)).await;
    }
    // Twice as many requests as connections in the pool.
    let mut checks = JoinSet::new();
    for _ in 0..20 {
        let inbox = Arc::clone(&inbox);
        checks.spawn(async move { inbox.get("/healthz").await.status });
    }
    assert_eq!(checks.join_all().await, [503; 20]);
    silence.send_replace(());
    assert!(locked.wait().unwrap().success());

    let sender = Scrupp::new(Retries::NewHeaders).timeout(Duration::from_secs(8));
    let attempts = sender.deliver(&[inbox.address()], &completed(5)).await;
    assert!(is_acknowledged(&attempts), "{attempts:?}");
}

/// Starts a proxy to a local port. Returns its port, and a channel on which each message silences
/// all open connections.
async fn silent_proxy(server: u16) -> (u16, watch::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silence = watch::Sender::new(());
    let silenced = silence.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut silenced = silenced.subscribe();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    _ = silenced.changed() => sleep(Duration::from_secs(600)).await,
                }
            });
        }
    });
    (port, silence)
}

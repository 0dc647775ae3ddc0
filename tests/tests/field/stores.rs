//! The axum example with each kind of store that `STORE_URL` accepts.

use core::time::Duration;
use std::{env, fs, process, time::Instant};

use scrupp_verify_tests::{Delivery, Postgres, Program, Redis, RedisCluster, SECRET, signed};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

const EXAMPLE: &str = "example-axum";
const DEFAULT: [(&str, &str); 0] = [];
const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// Returns the number of events that the handler received.
async fn handled(program: &Program) -> usize {
    let deliveries = program.get("/deliveries").await.body;
    let deliveries: Vec<serde_json::Value> = serde_json::from_slice(&deliveries).unwrap();
    deliveries.len()
}

/// Returns a retry with another timestamp.
fn retry(delivery: &Delivery) -> Delivery {
    let mut retry = delivery.clone();
    retry.sign_with(SECRET, delivery.now - 60);
    retry
}

#[tokio::test]
async fn default_store_remembers_deliveries_after_a_kill() {
    let delivery = signed(1);
    let program = Program::start(EXAMPLE, &DEFAULT).await;
    assert_eq!(program.deliver(&delivery).await, 200);
    assert_eq!(handled(&program).await, 1);
    let said = program.said();
    assert!(
        said.contains(r#"scheme="sqlite" place="deliveries.db""#),
        "{said}"
    );

    let program = program.restart(EXAMPLE, &DEFAULT).await;
    assert_eq!(program.deliver(&delivery).await, 200);
    assert_eq!(program.deliver(&retry(&delivery)).await, 200);
    assert_eq!(handled(&program).await, 0);
    assert_eq!(program.deliver(&signed(2)).await, 200);
    assert_eq!(handled(&program).await, 1);
}

#[tokio::test]
async fn removed_file_is_503_and_logged() {
    let file = env::temp_dir().join(format!("scrupp-removed-{}.db", process::id()));
    let url = format!("sqlite:{}", file.display());
    let program = Program::start(EXAMPLE, &[("STORE_URL", url)]).await;
    assert_eq!(program.deliver(&signed(1)).await, 200);
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", file.display())).unwrap();
    }
    assert_eq!(program.deliver(&signed(2)).await, 503);
    assert_eq!(handled(&program).await, 1);
    let said = program.said();
    assert!(said.contains("was removed or replaced"), "{said}");
}

#[tokio::test]
async fn each_kind_of_store_handles_a_delivery_once() {
    let (postgres, redis) = (
        Postgres::start().await,
        Redis::start(&["--requirepass", "pa55word"]),
    );
    let cluster = tokio::task::spawn_blocking(RedisCluster::start)
        .await
        .unwrap();
    let nodes = cluster.urls().join(",").replace("redis://", "");
    let cluster = format!("redis+cluster://{nodes}");
    let postgres = postgres.url();
    let with_password = postgres.replace("test@", "test:pa55word@");
    let redis = format!("redis://:pa55word@{}", redis.address());
    let other_scheme = with_password.replace("postgres:", "postgresql:") + "?application_name=crm";
    let (postgres, redis) = (&*with_password, &*redis);
    for (url, remembers) in [
        ("memory:", false),
        ("sqlite:claims.db", true),
        ("sqlite://claims-2.db", true),
        (postgres, true),
        (redis, true),
        (&cluster, true),
    ] {
        let settings = [("STORE_URL", url), ("REDIS_URL", "redis://127.0.0.1:1")];
        let delivery = signed(1);
        let program = Program::start(EXAMPLE, &settings).await;
        for attempt in [&delivery, &retry(&delivery)] {
            assert_eq!(program.deliver(attempt).await, 200, "{url}");
        }
        assert_eq!(handled(&program).await, 1, "{url}");
        let said = program.said();
        let (scheme, _) = url.split_once(':').unwrap();
        assert!(
            said.contains(&format!("scheme=\"{scheme}\"")),
            "{url}: {said}"
        );
        assert!(!said.contains("pa55word"), "{url}: {said}");

        let program = program.restart(EXAMPLE, &settings).await;
        assert_eq!(program.deliver(&delivery).await, 200, "{url}");
        assert_eq!(handled(&program).await, usize::from(!remembers), "{url}");
    }
    // Another scheme for the same table.
    let program = Program::start(EXAMPLE, &[("REDIS_URL", other_scheme)]).await;
    assert_eq!(program.deliver(&signed(1)).await, 200);
    assert_eq!(handled(&program).await, 0);
}

#[tokio::test]
async fn invalid_url_is_named_without_its_password() {
    let postgres = Postgres::start().await;
    let _ = postgres.sql("CREATE ROLE limited LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let limited = postgres.url_of("limited");
    let missing = postgres.url().replace("/postgres", "/missing");
    let unknown = format!("{missing}?pass=pa55word");
    let file = "expected the path of a file";
    let encode = "percent-encode";
    let redis = Redis::start(&["--requirepass", "pa55word"]);
    let no_database = format!("redis://:pa55word@{}/99", redis.address());
    let no_password = redis.url();
    let no_cluster = format!("redis+cluster://:pa55word@{}", redis.address());
    for (url, message) in [
        ("nonsense", "expected memory:, sqlite:"),
        ("mysql://root:pa55word@db/crm", "expected memory:, sqlite:"),
        ("/var/lib/deliveries.db", "expected memory:, sqlite:"),
        ("sqlite:", file),
        ("sqlite::memory:", file),
        ("sqlite:deliveries.db?mode=ro", file),
        (
            "sqlite:/nowhere/deliveries.db",
            "the database cannot be reached: ",
        ),
        ("postgres://crm:pa55word@db:http/crm", "invalid port number"),
        ("postgres://crm:1?pa55word@db/crm", encode),
        ("postgres://db/crm?password=pa55word@1", encode),
        ("redis://:1#pa55word@db", encode),
        ("redis+cluster://:pa55word@", "the host is missing"),
        (
            "redis+cluster://:pa55word@db:1,db:x",
            "the port must be a number",
        ),
        (&no_database, "the database does not exist"),
        (&no_password, "Redis rejected the credentials"),
        (&no_cluster, "the server is not a node of a Redis Cluster"),
        (&limited, "the role has no permission"),
        (&missing, "the database failed: "),
        // sqlx would log this parameter with its value, because its name is not `password`.
        (&unknown, "the database failed: "),
    ] {
        let settings = [("STORE_URL", url)];
        let ended = timeout(WAIT_LIMIT, Program::run(EXAMPLE, &[], &settings)).await;
        let ended = ended.unwrap_or_else(|_| panic!("{url}: does not exit"));
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{url}: {said}");
        assert!(
            said.starts_with("STORE_URL: ") && said.contains(message),
            "{url}: {said}"
        );
        assert!(!said.contains("pa55word"), "{url}: {said}");
        assert_eq!(said.lines().count(), 1, "{url}: {said}");
    }
}

#[tokio::test]
async fn starts_without_postgresql_and_recovers() {
    let postgres = Postgres::start().await;
    // The server accepts connections, but does not respond.
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let url = format!("postgres://test:pa55word@{address}/postgres");
    let settings = [("STORE_URL", url)];
    let program = timeout(WAIT_LIMIT, Program::start(EXAMPLE, &settings)).await;
    let program = program.expect("the server does not start");
    let delivery = signed(1);
    assert_eq!(program.deliver(&delivery).await, 503);
    assert_eq!(handled(&program).await, 0);
    let said = program.said();
    assert!(said.contains("PostgreSQL does not respond"), "{said}");

    let port = postgres.port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = proxy.accept().await {
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    let started = Instant::now();
    while program.deliver(&delivery).await != 200 {
        assert!(started.elapsed() < WAIT_LIMIT, "{}", program.said());
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(handled(&program).await, 1);
    assert!(!program.said().contains("pa55word"));
}

#[tokio::test]
async fn logs_that_postgresql_refuses_connections() {
    let settings = [("STORE_URL", "postgres://127.0.0.1:1/x")];
    let program = Program::start(EXAMPLE, &settings).await;
    assert_eq!(program.deliver(&signed(1)).await, 503);
    let said = program.said();
    assert!(said.contains("PostgreSQL cannot be reached"), "{said}");
    assert!(said.contains("Connection refused"), "{said}");
}

#[tokio::test]
async fn starts_without_redis() {
    for url in ["redis://127.0.0.1:1", "rediss://127.0.0.1:1"] {
        let program = Program::start(EXAMPLE, &[("STORE_URL", url)]).await;
        assert_eq!(program.deliver(&signed(1)).await, 503, "{url}");
    }
}

//! Failures of Redis, such as failovers, silence and stalls, and claims whose callers gave up.

use core::time::Duration;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use axum::{Router, http::StatusCode, routing::post};
use scrupp_verify_core::{
    Secret,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore},
};
use scrupp_verify_redis::{RedisStore, RedisStoreError, RedisStoreErrorKind};
use scrupp_verify_tests::{Connection, Proxy, Redis, SECRET, Step, free_port, signed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::Handle,
    task::JoinSet,
    time::{sleep, timeout},
};

const LEASE: Duration = Duration::from_secs(60);

fn id(number: u64) -> DeliveryId {
    DeliveryId::of(&[&number.to_be_bytes()])
}

fn token(number: u8) -> ClaimToken {
    ClaimToken::from_bytes([number; 16])
}

async fn claim(store: &RedisStore, number: u64) -> Result<Claim, RedisStoreError> {
    store.claim(id(number), token(1), LEASE).await
}

/// Claims until a claim succeeds. Returns the number of failed claims, and the elapsed time.
async fn recover(store: &RedisStore, number: u64) -> (usize, Duration) {
    let started = Instant::now();
    let mut failures = 0;
    while let Err(error) = claim(store, number).await {
        failures += 1;
        assert!(started.elapsed() < Duration::from_secs(10), "{error}");
    }
    (failures, started.elapsed())
}

#[tokio::test]
async fn recovers_at_once_after_a_failover() {
    let primary = Redis::start(&[]);
    let replica = primary.start_replica();
    let proxy = Proxy::start(primary.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    claim(&store, 1).await.unwrap();
    assert!(store.commit(id(1), token(1), LEASE).await.unwrap());

    primary.fail_over_to(&replica);
    proxy.set_target(replica.address());
    let (failures, time) = recover(&store, 2).await;
    println!("after a failover: {failures} failures, {time:?}");
    assert_eq!(failures, 0);
    assert!(time < Duration::from_millis(500), "{time:?}");
    assert_eq!(claim(&store, 1).await.unwrap(), Claim::Acknowledged);
    assert_eq!(proxy.opened(), 2);

    // Fails over again during commits and claims.
    replica.fail_over_to(&primary);
    proxy.set_target(primary.address());
    assert!(store.commit(id(2), token(1), LEASE).await.unwrap());
    assert_eq!(claim(&store, 2).await.unwrap(), Claim::Acknowledged);
    assert_eq!(proxy.opened(), 3);
}

#[tokio::test]
async fn recovers_once_the_address_points_to_the_new_primary() {
    let primary = Redis::start(&[]);
    let replica = primary.start_replica();
    let proxy = Proxy::start(primary.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    claim(&store, 1).await.unwrap();
    primary.fail_over_to(&replica);

    // The address still points to the old primary. Many operations share few attempts to connect.
    let started = Instant::now();
    let before = proxy.opened();
    let mut claims = JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        claims.spawn(async move { claim(&store, number + 100).await.unwrap_err() });
    }
    for error in claims.join_all().await {
        assert_eq!(error.code(), Some("READONLY"), "{error}");
        assert_eq!(error.to_string(), "Redis rejected the command (READONLY)");
    }
    assert!(started.elapsed() < Duration::from_millis(1500));
    let attempts = proxy.opened() - before;
    assert!((2..=11).contains(&attempts), "{attempts}");

    proxy.set_target(replica.address());
    let (failures, time) = recover(&store, 2).await;
    assert_eq!(failures, 0);
    assert!(time < Duration::from_millis(500), "{time:?}");
}

#[tokio::test]
async fn replaces_a_connection_to_a_replica_without_its_primary() {
    let lost = Redis::start(&["--replica-serve-stale-data", "no"]);
    let other = Redis::start(&[]);
    let proxy = Proxy::start(lost.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    claim(&store, 1).await.unwrap();
    let () = lost.run(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = claim(&store, 1).await.unwrap_err();
    assert_eq!(error.code(), Some("MASTERDOWN"), "{error}");
    proxy.set_target(other.address());
    assert_eq!(recover(&store, 1).await.0, 0);
}

#[tokio::test]
async fn replaces_a_connection_to_a_primary_that_lost_its_replicas() {
    let fenced = Redis::start(&[]);
    let other = Redis::start(&[]);
    let proxy = Proxy::start(fenced.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    claim(&store, 1).await.unwrap();
    let () = fenced.run(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let error = claim(&store, 2).await.unwrap_err();
    assert_eq!(error.code(), Some("NOREPLICAS"), "{error}");
    proxy.set_target(other.address());
    assert_eq!(recover(&store, 2).await.0, 0);
}

#[tokio::test]
async fn replaces_a_silent_connection() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::start(redis.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    claim(&store, 1).await.unwrap();
    proxy.hold();
    let (failures, time) = recover(&store, 2).await;
    println!("after silence: {failures} failures, {time:?}");
    assert_eq!(failures, 3);
    assert!(time < Duration::from_millis(3500), "{time:?}");
    assert_eq!(proxy.opened(), 2);
}

#[tokio::test]
async fn replaces_a_silent_connection_whose_callers_give_up_early() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::start(redis.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    claim(&store, 1).await.unwrap();
    proxy.hold();
    let started = Instant::now();
    while timeout(Duration::from_millis(200), claim(&store, 2))
        .await
        .is_err()
    {
        assert!(started.elapsed() < Duration::from_secs(4));
        let release = store.release(id(2), token(1));
        let _ = timeout(Duration::from_millis(200), release).await;
    }
}

#[tokio::test]
async fn keeps_the_connection_through_a_short_stall() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::start(redis.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    claim(&store, 1).await.unwrap();
    redis.pause(true);
    for _ in 0..2 {
        let error = claim(&store, 2).await.unwrap_err();
        assert_eq!(error.kind(), RedisStoreErrorKind::TimedOut);
    }
    redis.pause(false);
    assert_eq!(recover(&store, 2).await.0, 0);
    assert_eq!(proxy.opened(), 1);
}

#[tokio::test]
async fn waits_while_redis_loads_and_keeps_the_connection() {
    let redis = Redis::start(&[
        "--enable-debug-command",
        "yes",
        // While Redis loads, it responds after each KiB.
        "--rdbcompression",
        "no",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    let proxy = Proxy::start(redis.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    claim(&store, 1).await.unwrap();
    let mut look = redis.connection();
    for number in 0..200 {
        let value = "x".repeat(1024);
        let key = format!("other:{number}");
        let () = ::redis::cmd("SET")
            .arg(key)
            .arg(value)
            .query(&mut look)
            .unwrap();
    }
    let load = |key_delay: &str| {
        let () = redis.run(&["CONFIG", "SET", "key-load-delay", key_delay]);
        let mut loading = redis.connection();
        let loading = std::thread::spawn(move || {
            ::redis::cmd("DEBUG")
                .arg("RELOAD")
                .exec(&mut loading)
                .unwrap();
        });
        // Redis first saves its data, and then loads it.
        while !redis
            .run::<String>(&["INFO", "persistence"])
            .contains("loading:1")
        {
            assert!(!loading.is_finished(), "Redis loaded too fast");
        }
        loading
    };
    let rejected = || {
        let errors: String = redis.run(&["INFO", "errorstats"]);
        errors.contains("errorstat_LOADING")
    };

    // Takes 0.2 s.
    let loading = load("1000");
    assert_eq!(claim(&store, 2).await.unwrap(), Claim::Granted);
    loading.join().unwrap();
    assert!(rejected(), "Redis did not respond with LOADING");

    // Takes 3 s.
    let loading = load("15000");
    let started = Instant::now();
    let error = claim(&store, 3).await.unwrap_err();
    assert_eq!(error.to_string(), "Redis rejected the command (LOADING)");
    assert!(started.elapsed() < Duration::from_millis(1500));
    loading.join().unwrap();
    assert_eq!(claim(&store, 3).await.unwrap(), Claim::Granted);
    assert_eq!(proxy.opened(), 1);
}

/// Starts a server that responds to each `EVAL` with the next of these replies. An empty reply
/// closes the connection. Returns the URL and the number of accepted connections.
async fn replies(replies: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let (opened, next) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let count = Arc::clone(&opened);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut request).await {
                    let request = String::from_utf8_lossy(&request[..length]);
                    let reply = match request.contains("GET") {
                        true => replies[next.fetch_add(1, Ordering::Relaxed) % replies.len()],
                        false => "$-1\r\n",
                    };
                    if reply.is_empty() || stream.write_all(reply.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, opened)
}

#[tokio::test]
async fn replaces_a_connection_only_after_a_fatal_reply() {
    const GRANTED: &str = "+granted\r\n";
    for (label, scripted, result, connections) in [
        ("granted", &[GRANTED] as &'static [&str], "Granted", 1),
        (
            "read-only",
            &["-READONLY a replica\r\n", GRANTED],
            "Granted",
            2,
        ),
        (
            "no primary",
            &["-MASTERDOWN Link\r\n", GRANTED],
            "Granted",
            2,
        ),
        ("no user", &["-NOAUTH required\r\n", GRANTED], "Granted", 2),
        ("closed", &["", GRANTED], "Granted", 2),
        ("closed twice", &["", "", GRANTED], "Granted", 3),
        (
            "not Redis",
            &["HTTP/1.1 400\r\n\r\n", GRANTED],
            "Granted",
            2,
        ),
        ("loading", &["-LOADING data\r\n", GRANTED], "Granted", 1),
        (
            "out of memory",
            &["-OOM command not allowed\r\n", GRANTED],
            "Redis rejected the command (OOM)",
            1,
        ),
        (
            "an error with a key in it",
            &["-ERR unknown scrupp:delivery:1\r\n", GRANTED],
            "Redis rejected the command (ERR)",
            1,
        ),
        (
            "another word",
            &["+perhaps\r\n", GRANTED],
            "unexpected response from Redis",
            1,
        ),
        (
            "another type",
            &["*0\r\n", GRANTED],
            "unexpected response from Redis",
            1,
        ),
    ] {
        let (url, opened) = replies(scripted).await;
        let store = RedisStore::new(&url).unwrap();
        let claimed = match claim(&store, 1).await {
            Ok(claim) => format!("{claim:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(claimed, result, "{label}");
        assert_eq!(opened.load(Ordering::Relaxed), connections, "{label}");
    }
}

#[tokio::test]
async fn connects_rarely_while_every_attempt_fails() {
    let (url, opened) = replies(&[""]).await;
    let store = RedisStore::new(&url).unwrap();
    let started = Instant::now();
    let mut claims = JoinSet::new();
    for number in 0..200 {
        let store = store.clone();
        claims.spawn(async move {
            while started.elapsed() < Duration::from_secs(2) {
                let began = Instant::now();
                let error = claim(&store, number).await.unwrap_err();
                assert_eq!(error.kind(), RedisStoreErrorKind::Unreachable);
                assert!(began.elapsed() < Duration::from_millis(1500));
            }
        });
    }
    claims.join_all().await;
    let opened = opened.load(Ordering::Relaxed);
    assert!((5..=32).contains(&opened), "{opened}");
}

/// Claims `count` deliveries at once. Releases each of them as soon as its caller gives up, and
/// ignores the results. An adapter does the same if its clients disconnect.
async fn claim_and_give_up(store: &RedisStore, count: u64, time_limit: Duration) {
    let mut claims = JoinSet::new();
    for number in 0..count {
        let store = store.clone();
        claims.spawn(async move {
            let _ = timeout(time_limit, claim(&store, number)).await;
            let release = store.release(id(number), token(1));
            let _ = timeout(Duration::from_secs(2), release).await;
        });
    }
    claims.join_all().await;
}

/// Waits until no delivery is claimed, and panics after a second.
async fn assert_no_claim_is_left(redis: &Redis, label: &str) {
    let started = Instant::now();
    while redis.claims() > 0 {
        let left = redis.claims();
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{label}: {left} claims"
        );
        sleep(Duration::from_millis(20)).await;
    }
    // Late commands would appear within this time.
    sleep(Duration::from_millis(300)).await;
    assert_eq!(redis.claims(), 0, "{label}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_claim_is_left_after_a_stall() {
    let mut stalls = JoinSet::new();
    for stall in [1, 2, 3, 5] {
        for time_limit in [1, 300, 2000].map(Duration::from_millis) {
            let redis = Redis::start(&[]);
            stalls.spawn(async move {
                let store = RedisStore::new(&redis.url()).unwrap();
                // Before the stall, Redis has executed no release.
                claim(&store, 1000).await.unwrap();
                assert!(store.commit(id(1000), token(1), LEASE).await.unwrap());
                redis.pause(true);
                let stall_only = async {
                    sleep(Duration::from_secs(stall)).await;
                    redis.pause(false);
                };
                let end = Instant::now() + Duration::from_secs(stall);
                let rounds = async {
                    while Instant::now() < end {
                        claim_and_give_up(&store, 50, time_limit).await;
                    }
                };
                tokio::join!(stall_only, rounds);
                let label = format!("{stall} s, time limit {time_limit:?}");
                assert_no_claim_is_left(&redis, &label).await;
                let executed = redis.calls("eval");
                assert!(executed >= 2 + 50, "{label}: {executed} scripts");
            });
        }
    }
    stalls.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn release_follows_its_claim_on_a_replaced_connection() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::start(redis.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    claim(&store, 1000).await.unwrap();
    store.release(id(1000), token(1)).await.unwrap();
    proxy.hold();
    let mut claims = JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        claims.spawn(async move { claim(&store, number).await.unwrap_err() });
    }
    claims.join_all().await;
    recover(&store, 1000).await;
    assert_eq!(proxy.opened(), 2);
    // The store now uses another connection.
    for number in (0..50).chain([1000]) {
        store.release(id(number), token(1)).await.unwrap();
    }
    assert_eq!(redis.claims(), 0);
    proxy.resume();
    assert_no_claim_is_left(&redis, "after the old connection resumed").await;

    // The old connection closes after Redis has executed all of its requests.
    let started = Instant::now();
    while proxy.open() > 1 {
        assert!(started.elapsed() < Duration::from_secs(5), "kept open");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn commit_and_release_on_a_silent_connection_take_effect_on_the_next() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::start(redis.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    for number in 0..2 {
        claim(&store, number).await.unwrap();
    }
    proxy.hold();
    let (committed, released) = tokio::join!(
        store.commit(id(0), token(1), LEASE),
        timeout(Duration::from_millis(100), store.release(id(1), token(1))),
    );
    let error = committed.unwrap_err();
    assert_eq!(error.to_string(), "Redis did not respond in time");
    assert!(released.is_err());
    assert_eq!(redis.claims(), 2);
    // No further operation is needed to detect the silent connection.
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(redis.claims(), 0);
    assert_eq!(claim(&store, 0).await.unwrap(), Claim::Acknowledged);
    assert_eq!(claim(&store, 1).await.unwrap(), Claim::Granted);
    assert_eq!(proxy.opened(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_sent_even_if_the_socket_is_full() {
    const CLAIMS: u64 = 600;
    let redis = Redis::start(&[]);
    let proxy = Proxy::start(redis.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    // 38 MB of claims exceed the buffers of the sockets.
    let store = store.key_prefix(&"k".repeat(64 * 1024));
    claim(&store, 1000).await.unwrap();
    store.release(id(1000), token(1)).await.unwrap();
    proxy.hold();
    claim_and_give_up(&store, CLAIMS, Duration::from_secs(2)).await;
    let before = redis.calls("eval");
    proxy.resume();
    let started = Instant::now();
    while redis.calls("eval") < before + CLAIMS {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "the releases were not sent"
        );
        sleep(Duration::from_millis(50)).await;
    }
    assert_no_claim_is_left(&redis, "full sockets").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_claim_of_the_adapter_is_left_after_a_stall() {
    let mut stalls = JoinSet::new();
    for stall in [1, 2, 3, 5] {
        let redis = Redis::start(&[]);
        stalls.spawn(async move {
            let store = RedisStore::new(&redis.url()).unwrap();
            let verify = scrupp_verify_tower::ScruppVerify::new(Secret::new(SECRET).unwrap());
            let handler = post(|| async { StatusCode::OK });
            let app = Router::new().route("/webhooks/scrupp", handler.layer(verify.dedup(store)));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
            let deliver = move |number| async move {
                let mut connection = Connection::open(address).await.unwrap();
                let request = signed(number).request();
                connection.send(&[Step::Send(request)]).await.unwrap();
                connection.response().await.unwrap().status
            };
            assert_eq!(deliver(1000).await, 200);

            redis.pause(true);
            let started = Instant::now();
            let mut deliveries = JoinSet::new();
            for number in 0..50 {
                deliveries.spawn(deliver(number));
            }
            // Claims of clients that disconnect.
            for number in 50..60 {
                deliveries.spawn(async move {
                    let _ = timeout(Duration::from_millis(500), deliver(number)).await;
                    503
                });
            }
            sleep(Duration::from_secs(stall)).await;
            redis.pause(false);
            for status in deliveries.join_all().await {
                // A stall of 1 s may end before or after the store timeout.
                assert!(status == 503 || stall == 1 && status == 200, "{status}");
            }
            assert!(started.elapsed() < Duration::from_secs(stall + 3));
            assert_no_claim_is_left(&redis, &format!("{stall} s")).await;
            assert_eq!(deliver(1).await, 200, "the claim was not released");
        });
    }
    stalls.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_worker_does_not_fail_claims_of_other_workers() {
    use actix_web::{App, HttpResponse, HttpServer, rt, web};

    async fn handle(body: web::Bytes) -> HttpResponse {
        if String::from_utf8_lossy(&body).contains("\"process_id\":1,") {
            std::thread::sleep(Duration::from_secs(3));
        }
        HttpResponse::Ok().finish()
    }

    let redis = Redis::start(&[]);
    let url = redis.url();
    let outside = RedisStore::new(&url).unwrap();
    for store in [Some(outside), None] {
        let url = url.clone();
        let (sender, address) = std::sync::mpsc::channel();
        let prefix = format!("{}:", store.is_some());
        std::thread::spawn(move || {
            rt::System::new().block_on(async move {
                let store = store.unwrap_or_else(|| RedisStore::new(&url).unwrap());
                let verify = scrupp_verify_actix::ScruppVerify::new(Secret::new(SECRET).unwrap())
                    .dedup(store.key_prefix(&prefix));
                let app = move || {
                    let resource = web::resource("/webhooks/scrupp").wrap(verify.clone());
                    App::new().service(resource.route(web::post().to(handle)))
                };
                let server = HttpServer::new(app).workers(2).disable_signals();
                let server = server.bind("127.0.0.1:0").unwrap();
                sender.send(server.addrs()[0]).unwrap();
                server.run().await.unwrap();
            });
        });
        let address = address.recv().unwrap();
        let deliver = move |number| async move {
            let mut connection = Connection::open(address).await.unwrap();
            let request = signed(number).request();
            connection.send(&[Step::Send(request)]).await.unwrap();
            connection.response().await.unwrap().status
        };
        // The worker of the first delivery uses the store, and then blocks.
        let blocked = tokio::spawn(deliver(1));
        sleep(Duration::from_millis(500)).await;
        let (mut served, mut waiting) = (0, JoinSet::new());
        for number in 2..14 {
            // Connections alternate between the two workers, so half of them wait for the blocked
            // worker.
            waiting.spawn(async move {
                let started = Instant::now();
                (deliver(number).await, started.elapsed())
            });
        }
        for (status, time) in waiting.join_all().await {
            assert_eq!(status, 200);
            served += usize::from(time < Duration::from_millis(500));
        }
        assert!(served >= 6, "{served} of 12 while a worker was blocked");
        assert_eq!(blocked.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn errors_name_the_cause() {
    let closed = format!("127.0.0.1:{}", free_port());
    let redis = Redis::start(&[]);
    let full = Redis::start(&["--maxclients", "5"]);
    let held = [(); 6].map(|()| std::net::TcpStream::connect(full.address()).unwrap());
    let plain = redis.address();
    for (url, kind, text) in [
        (
            format!("redis://:hunter2@{closed}"),
            RedisStoreErrorKind::Unreachable,
            "Redis cannot be reached: Connection refused",
        ),
        (
            "redis://:hunter2@no-such-host.invalid".to_owned(),
            RedisStoreErrorKind::Unreachable,
            "Redis cannot be reached: failed to lookup address",
        ),
        (
            full.url(),
            RedisStoreErrorKind::Rejected,
            "Redis rejected the command (ERR): max number of clients reached",
        ),
        (
            format!("redis://{plain}/99"),
            RedisStoreErrorKind::Rejected,
            "Redis rejected the command (ERR): the database does not exist",
        ),
    ] {
        let store = RedisStore::new(&url).unwrap();
        let error = claim(&store, 1).await.unwrap_err();
        let printed = format!("{error} {error:?} {store:?}");
        assert!(error.to_string().starts_with(text), "{url}: {error}");
        assert_eq!(error.kind(), kind, "{url}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    drop(held);
    for url in ["redis://:hunt#er2@127.0.0.1", "redis://:hunt/er2@127.0.0.1"] {
        let error = RedisStore::new(url).unwrap_err();
        assert_eq!(error.kind(), RedisStoreErrorKind::InvalidUrl);
        assert_eq!(
            error.to_string(),
            "invalid Redis URL: percent-encode `#`, `/`, `?` and `@` in the user name and \
             password, as %23, %2F, %3F and %40"
        );
    }
    let () = redis.run(&["CONFIG", "SET", "requirepass", "a#b/c?d@e"]);
    let url = format!("redis://:a%23b%2Fc%3Fd%40e@{plain}");
    claim(&RedisStore::new(&url).unwrap(), 1).await.unwrap();
}

#[test]
fn operation_after_the_runtime_of_the_store_ended_is_an_error() {
    let runtime = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap()
    };
    let redis = Redis::start(&[]);
    let first = runtime();
    let store = first.block_on(async { RedisStore::new(&redis.url()).unwrap() });
    drop(first);
    runtime().block_on(async {
        for error in [
            claim(&store, 1).await.unwrap_err(),
            store.commit(id(1), token(1), LEASE).await.unwrap_err(),
            store.release(id(1), token(1)).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), RedisStoreErrorKind::NoRuntime);
            assert_eq!(
                error.to_string(),
                "the Redis store needs a Tokio runtime: the runtime has shut down, or has no I/O or no timer"
            );
        }
    });
}

#[tokio::test]
async fn tasks_and_connections_end_with_the_last_clone() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::start(redis.address()).await;
    let store = RedisStore::new(&proxy.redis_url()).unwrap();
    claim(&store, 1).await.unwrap();
    let quiet = Handle::current().metrics().num_alive_tasks();
    proxy.hold();
    claim_and_give_up(&store, 20, Duration::from_millis(100)).await;
    let busy = Handle::current().metrics().num_alive_tasks();
    assert!(busy >= quiet + 20, "{busy} tasks, {quiet} before");
    recover(&store, 2).await;
    assert_eq!(proxy.open(), 2);
    drop(store.clone());
    sleep(Duration::from_millis(100)).await;
    assert_eq!(proxy.open(), 2);
    drop(store);
    proxy.resume();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(proxy.open(), 0);
    let left = Handle::current().metrics().num_alive_tasks();
    assert!(left < quiet, "{left} tasks, {quiet} before");
}

#[tokio::test]
async fn node_of_a_cluster_is_rejected() {
    const TEXT: &str = "the server is a node of a Redis Cluster, which needs RedisStore::cluster";
    let nodes = [(); 2].map(|()| Redis::start_node());
    for (node, slots) in nodes.iter().zip([("0", "8191"), ("8192", "16383")]) {
        let () = node.run(&["CLUSTER", "ADDSLOTSRANGE", slots.0, slots.1]);
        let rights = ["on", ">word", "~scrupp:delivery:*", "+eval", "+get", "+set"];
        let () = node.run(&[&["ACL", "SETUSER", "narrow"], &rights[..]].concat());
    }
    let error = claim(&RedisStore::new(&nodes[0].url()).unwrap(), 1).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), RedisStoreErrorKind::ClusterNode);
    assert_eq!(error.to_string(), TEXT);

    // Without the right to INFO, the store detects a cluster by its replies.
    let url = nodes[0].url().replace("://", "://narrow:word@");
    let store = RedisStore::new(&url).unwrap();
    let error = claim(&store, 1).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{TEXT} (CLUSTERDOWN)"));
    nodes[0].meet(&nodes[1]);
    let started = Instant::now();
    loop {
        let info: String = nodes[0].run(&["CLUSTER", "INFO"]);
        if info.contains("cluster_state:ok") {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{info}");
        sleep(Duration::from_millis(100)).await;
    }
    let mut moved = 0;
    for number in 0..20 {
        if let Err(error) = claim(&store, number).await {
            assert_eq!(error.kind(), RedisStoreErrorKind::ClusterNode);
            assert_eq!(error.to_string(), format!("{TEXT} (MOVED)"));
            moved += 1;
        }
    }
    assert!((1..20).contains(&moved), "{moved} of 20");
}

#[tokio::test]
async fn error_names_a_command_that_the_server_does_not_have() {
    for (command, cause) in [
        ("EVAL", "the command EVAL"),
        (
            "GET",
            "a command of the script, which needs get, set and del",
        ),
    ] {
        let redis = Redis::start(&["--rename-command", command, ""]);
        let store = RedisStore::new(&redis.url()).unwrap();
        let error = claim(&store, 1).await.unwrap_err();
        let text = format!("Redis rejected the command (ERR): the server does not have {cause}");
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test]
async fn user_needs_only_the_documented_rights() {
    const RIGHTS: [&str; 4] = ["+eval", "+get", "+set", "+del"];
    let redis = Redis::start(&[]);
    let store = |user: &str, keys: &str, rights: &[&str]| {
        let user_with = [
            "ACL",
            "SETUSER",
            user,
            "on",
            ">word",
            "resetkeys",
            keys,
            "-@all",
        ];
        let () = redis.run(&[&user_with, rights].concat());
        RedisStore::new(&redis.url().replace("://", &format!("://{user}:word@"))).unwrap()
    };
    let all = store("all", "~scrupp:delivery:*", &RIGHTS);
    assert_eq!(claim(&all, 1).await.unwrap(), Claim::Granted);
    all.release(id(1), token(1)).await.unwrap();
    assert_eq!(claim(&all, 1).await.unwrap(), Claim::Granted);
    assert!(all.commit(id(1), token(1), LEASE).await.unwrap());

    for (left_out, right) in RIGHTS.iter().enumerate() {
        let user = format!("without{left_out}");
        let rights: Vec<_> = RIGHTS.into_iter().filter(|other| other != right).collect();
        let store = store(&user, "~scrupp:delivery:*", &rights);
        let mut errors = Vec::new();
        errors.extend(claim(&store, 2).await.err());
        errors.extend(store.release(id(2), token(1)).await.err());
        assert!(!errors.is_empty(), "{right} is needed");
        for error in errors {
            assert_eq!(error.kind(), RedisStoreErrorKind::Rejected, "{error}");
            let command = right.trim_start_matches('+');
            let code = error.code().unwrap();
            let named = format!("the user has no permission for the command {command}");
            // Redis 7.0 does not name the command that a script calls.
            let unnamed = "the user has no permission for a command of the script, which needs get, set and del";
            let cause = match (command, code) {
                ("eval", _) | (_, "NOPERM") => &*named,
                _ => unnamed,
            };
            let text = format!("Redis rejected the command ({code}): {cause}");
            assert_eq!(error.to_string(), text);
        }
    }
    let error = claim(&store("keys", "~other:*", &RIGHTS), 2)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Redis rejected the command (NOPERM): the user has no permission for the keys"
    );

    let url = redis.url().replace("://", "://all:wrong@");
    let error = claim(&RedisStore::new(&url).unwrap(), 1).await.unwrap_err();
    assert_eq!(error.kind(), RedisStoreErrorKind::Unauthorized);
    assert_eq!(error.to_string(), "Redis rejected the credentials");
    let () = redis.run(&["ACL", "SETUSER", "default", "off"]);
    let error = claim(&RedisStore::new(&redis.url()).unwrap(), 1).await;
    assert_eq!(error.unwrap_err().kind(), RedisStoreErrorKind::Unauthorized);
}

#[tokio::test]
async fn idle_connection_that_redis_closed_costs_no_delivery() {
    let redis = Redis::start(&[]);
    let store = RedisStore::new(&redis.url()).unwrap();
    claim(&store, 1).await.unwrap();
    for _ in 0..3 {
        let _: ::redis::Value = redis.run(&["CLIENT", "KILL", "TYPE", "normal"]);
        assert!(claim(&store, 2).await.is_ok());
        let _: ::redis::Value = redis.run(&["CLIENT", "KILL", "TYPE", "normal"]);
        sleep(Duration::from_millis(20)).await;
        assert!(claim(&store, 2).await.is_ok());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn kernel_probes_idle_connections() {
    let redis = Redis::start(&[]);
    let store = RedisStore::new(&redis.url()).unwrap();
    claim(&store, 1).await.unwrap();
    // proc_pid_net(5): remote address, kind of the active timer, and its time in 1/100 s.
    let connections = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let to_redis = format!("0100007F:{:04X} 01 ", redis.address().port());
    let line = connections.lines().find(|line| line.contains(&to_redis));
    let timer = line.unwrap().split_whitespace().nth(5).unwrap();
    let (kind, time) = timer.split_once(':').unwrap();
    assert_eq!(kind, "02", "keep-alive");
    let time = u32::from_str_radix(time, 16).unwrap();
    assert!((800..=1000).contains(&time), "{time}");
}

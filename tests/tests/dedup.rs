//! Each delivery is handled once, with the in-memory store and with Redis.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use scrupp_verify_core::{
    UnixTime,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore},
};
use scrupp_verify_redis::{RedisStore, RedisStoreErrorKind};
use scrupp_verify_tests::{Connection, Delivery, FrontEnd, Redis, Response, Server, Step, signed};
use tokio::{task::JoinSet, time::sleep};

const LEASE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(86_400);

fn id(number: u64) -> DeliveryId {
    DeliveryId::of(&[&number.to_be_bytes()])
}

fn token(number: u8) -> ClaimToken {
    ClaimToken::from_bytes([number; 16])
}

/// An operation on a delivery by one of its claim tokens.
#[derive(Clone, Copy, Debug)]
enum Op {
    Claim(u8),
    Commit(u8),
    Release(u8),
}

/// Runs an operation, and returns its result as text.
async fn run<S: DeliveryStore>(
    store: &S,
    id: DeliveryId,
    op: Op,
    [lease, retention]: [Duration; 2],
) -> String
where
    S::Error: core::fmt::Debug,
{
    match op {
        Op::Claim(by) => format!("{:?}", store.claim(id, token(by), lease).await.unwrap()),
        Op::Commit(by) => format!(
            "{:?}",
            store.commit(id, token(by), retention).await.unwrap()
        ),
        Op::Release(by) => format!("{:?}", store.release(id, token(by)).await.unwrap()),
    }
}

/// A model of the rules: the holder of a claim and its expiry, and the expiry of an
/// acknowledgement.
#[derive(Default)]
struct Model {
    claimed: Option<(u8, u32)>,
    done_until: Option<u32>,
}

impl Model {
    /// Runs an operation at a tick. Leases and retentions expire between two ticks.
    fn run(&mut self, op: Op, tick: u32) -> String {
        let done = self.done_until.is_some_and(|until| tick <= until);
        let holder = match self.claimed {
            Some((by, until)) if tick <= until && !done => Some(by),
            _ => None,
        };
        match op {
            Op::Claim(_) if done => "Acknowledged".into(),
            Op::Claim(by) if holder.is_some_and(|holder| holder != by) => "InFlight".into(),
            Op::Claim(by) => {
                (self.claimed, self.done_until) = (Some((by, tick + LEASE_TICKS)), None);
                "Granted".into()
            }
            Op::Commit(by) if holder.is_some_and(|holder| holder != by) => "false".into(),
            Op::Commit(_) => {
                (self.claimed, self.done_until) = (None, Some(tick + RETENTION_TICKS));
                "true".into()
            }
            Op::Release(by) => {
                if holder == Some(by) {
                    self.claimed = None;
                }
                "()".into()
            }
        }
    }
}

const TICKS: usize = 10;
const LEASE_TICKS: u32 = 2;
const RETENTION_TICKS: u32 = 4;
const HISTORIES: usize = 300;

/// Generates histories with two or three tokens. A claim without a commit or release stands for a
/// crash. An operation by a token whose claim has expired stands for a late message.
fn history() -> impl Strategy<Value = Vec<Vec<Op>>> {
    (2..=3_u8).prop_flat_map(|tokens| {
        let by = 1..=tokens;
        let op = prop_oneof![
            5 => by.clone().prop_map(Op::Claim),
            2 => by.clone().prop_map(Op::Commit),
            3 => by.prop_map(Op::Release),
        ];
        vec(vec(op, 0..4), TICKS)
    })
}

#[tokio::test]
async fn memory_and_redis_stores_follow_the_model() {
    const TICK: Duration = Duration::from_secs(1);
    /// Lease and retention. Half a tick longer than in the model, so that results do not depend on
    /// the time within a tick.
    const REDIS: [Duration; 2] = [Duration::from_millis(2500), Duration::from_millis(4500)];
    const MEMORY: [Duration; 2] = [Duration::from_secs(25), Duration::from_secs(45)];

    let redis = Redis::start(&[]);
    let shared = RedisStore::new(&redis.url()).unwrap();
    let secs = Arc::new(AtomicU64::new(1_735_471_800));
    let clock = Arc::clone(&secs);
    let clock = move || Some(UnixTime::from_secs(clock.load(Ordering::Relaxed)));
    let memory = MemoryStore::default().clock(clock);

    let mut runner = TestRunner::new(ProptestConfig::default());
    let histories: Vec<_> = (0..HISTORIES)
        .map(|_| history().new_tree(&mut runner).unwrap().current())
        .collect();
    let mut models: Vec<_> = (0..HISTORIES).map(|_| Model::default()).collect();
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let started = tokio::time::Instant::now();
    for tick in 0..TICKS {
        let mut running = JoinSet::new();
        for (number, (history, model)) in histories.iter().zip(&mut models).enumerate() {
            let expected = history[tick]
                .iter()
                .map(|op| (*op, model.run(*op, tick as u32)));
            let expected: Vec<_> = expected.collect();
            for (op, expected) in &expected {
                *seen.entry(format!("{op:?} {expected}")).or_default() += 1;
            }
            let (memory, shared, id) = (memory.clone(), shared.clone(), id(number as u64));
            running.spawn(async move {
                let mut wrong = Vec::new();
                for (op, expected) in expected {
                    let in_memory = run(&memory, id, op, MEMORY).await;
                    let in_redis = run(&shared, id, op, REDIS).await;
                    if in_memory != expected || in_redis != expected {
                        wrong.push((number, op, expected, in_memory, in_redis));
                    }
                }
                wrong
            });
        }
        let mut wrong = running.join_all().await.into_iter().flatten();
        let behind = started.elapsed().saturating_sub(TICK * tick as u32);
        assert!(behind < TICK / 2, "too slow for the clock: {behind:?}");
        if let Some((number, op, expected, in_memory, in_redis)) = wrong.next() {
            let history = &histories[number];
            panic!(
                "{op:?}: expected {expected}, memory {in_memory}, Redis {in_redis}, tick {tick} of {history:?}"
            );
        }
        tokio::time::sleep_until(started + TICK * (tick as u32 + 1)).await;
        secs.fetch_add(10, Ordering::Relaxed);
    }
    assert_eq!(
        seen.len(),
        3 * 3 + 3 * 2 + 3,
        "results that occurred: {seen:?}"
    );
}

#[tokio::test]
async fn each_operation_is_one_round_trip_and_every_key_expires() {
    let redis = Redis::start(&[]);
    let store = RedisStore::new(&redis.url()).unwrap().key_prefix("test:");
    store.claim(id(0), token(1), LEASE).await.unwrap();

    let before = redis.calls("eval");
    for number in 1..=100 {
        store.claim(id(number), token(1), LEASE).await.unwrap();
    }
    assert_eq!(redis.calls("eval") - before, 100);
    for number in 1..=50 {
        store.commit(id(number), token(1), RETENTION).await.unwrap();
    }
    assert_eq!(redis.calls("eval") - before, 150);
    for number in 51..=75 {
        store.release(id(number), token(1)).await.unwrap();
    }
    assert_eq!(redis.calls("eval") - before, 175);
    for other in ["evalsha", "script|load"] {
        assert_eq!(redis.calls(other), 0, "{other}");
    }

    let mut connection = redis.connection();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert_eq!(keys.len(), 1 + 50 + 25);
    for key in keys {
        assert!(key.starts_with("test:"), "{key}");
        let ttl: i64 = redis::cmd("TTL").arg(&key).query(&mut connection).unwrap();
        assert!((1..=86_400).contains(&ttl), "{key}: {ttl}");
    }
}

#[tokio::test]
async fn one_of_many_concurrent_claims_is_granted() {
    let redis = Redis::start(&[]);
    for number in 0..20 {
        let mut claims = JoinSet::new();
        for by in 0..20 {
            // Each claim on a separate connection.
            let store = RedisStore::new(&redis.url()).unwrap();
            claims.spawn(async move { store.claim(id(number), token(by), LEASE).await.unwrap() });
        }
        let granted = claims.join_all().await.into_iter();
        assert_eq!(granted.filter(|claim| *claim == Claim::Granted).count(), 1);
    }
}

#[tokio::test]
async fn store_reconnects_and_fails_quickly_until_then() {
    let mut redis = Redis::start(&[]);
    redis.kill();
    let store = RedisStore::new(&redis.url()).unwrap();
    let claim = || store.claim(id(1), token(1), LEASE);
    let quickly = async || {
        let started = Instant::now();
        let failed = claim().await.unwrap_err().kind();
        assert!(
            started.elapsed() < Duration::from_millis(1500),
            "{failed:?}"
        );
        failed
    };
    // First before the store ever had a connection, then after a connection was lost.
    for _ in 0..2 {
        assert_eq!(quickly().await, RedisStoreErrorKind::Unreachable);
        assert_eq!(quickly().await, RedisStoreErrorKind::Unreachable);
        redis.restart();
        let mut attempts = 0;
        while claim().await.is_err() {
            attempts += 1;
            assert!(attempts < 100, "the store does not reconnect");
            sleep(Duration::from_millis(100)).await;
        }
        redis.pause(true);
        assert_eq!(quickly().await, RedisStoreErrorKind::TimedOut);
        redis.pause(false);
        redis.kill();
    }
}

#[tokio::test]
async fn errors_name_the_cause_but_not_the_password() {
    let redis = Redis::start(&["--requirepass", "opensesame"]);
    let address = redis.address();
    let failure = async |url: String| {
        let store = RedisStore::new(&url).unwrap();
        store.claim(id(1), token(1), LEASE).await.unwrap_err()
    };
    for url in [
        format!("redis://{address}"),
        format!("redis://:hunter2@{address}"),
    ] {
        let error = failure(url).await;
        assert_eq!(error.kind(), RedisStoreErrorKind::Unauthorized, "{error}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(error.to_string(), "Redis rejected the credentials");
    }
    let store = RedisStore::new(&format!("redis://:opensesame@{address}")).unwrap();
    assert_eq!(
        store.claim(id(1), token(1), LEASE).await.unwrap(),
        Claim::Granted
    );
    assert!(!format!("{store:?}").contains("opensesame"));

    let replica = Redis::start(&["--replicaof", "127.0.0.1", "1"]);
    let error = failure(replica.url()).await;
    assert_eq!(error.kind(), RedisStoreErrorKind::Rejected);
    assert_eq!(error.to_string(), "Redis rejected the command (READONLY)");
    for url in ["", "http://127.0.0.1", "redis://", "rediss://127.0.0.1:x"] {
        let error = RedisStore::new(url).unwrap_err();
        assert_eq!(error.kind(), RedisStoreErrorKind::InvalidUrl, "{url}");
    }
}

#[test]
fn creating_a_store_outside_a_runtime_is_an_error() {
    let error = RedisStore::new("redis://127.0.0.1").unwrap_err();
    assert_eq!(error.kind(), RedisStoreErrorKind::NoRuntime);
}

async fn deliver(server: &Server, delivery: &Delivery) -> Response {
    let mut connection = Connection::open(server.address()).await.unwrap();
    connection
        .send(&[Step::Send(delivery.request())])
        .await
        .unwrap();
    connection.response().await.unwrap()
}

#[tokio::test]
async fn processes_that_share_a_redis_handle_a_delivery_once() {
    let redis = Redis::start(&[]);
    let url = [("REDIS_URL", redis.url())];
    let first = FrontEnd::Example("example-axum").start_with(&url).await;
    let second = FrontEnd::Example("example-axum").start_with(&url).await;

    let delivery = signed(1);
    assert_eq!(deliver(&first, &delivery).await.status, 200);
    let mut signed_again = delivery.clone();
    signed_again.sign_with(scrupp_verify_tests::SECRET, delivery.now - 60);
    for (server, attempt) in [
        (&second, &delivery),
        (&first, &signed_again),
        (&second, &signed_again),
    ] {
        let response = deliver(server, attempt).await;
        assert_eq!((response.status, response.body.len()), (200, 0));
    }
    assert_eq!(first.handled(1).await.len(), 1);
    assert_eq!(second.handled(1).await.len(), 0);
}

#[tokio::test]
async fn never_runs_handler_while_the_store_fails() {
    let mut redis = Redis::start(&[]);
    let server = FrontEnd::Example("example-axum");
    let server = server.start_with(&[("REDIS_URL", redis.url())]).await;
    let delivery = signed(1);
    assert_eq!(deliver(&server, &delivery).await.status, 200);

    // A forged delivery does not reach the store.
    let calls = redis.calls("eval");
    let mut forged = signed(2);
    forged.sign_with("another", forged.now);
    assert_eq!(deliver(&server, &forged).await.status, 401);
    assert_eq!(redis.calls("eval"), calls);
    assert_eq!(deliver(&server, &delivery).await.status, 200);
    assert_eq!(redis.calls("eval"), calls + 1);

    let fresh = signed(3);
    let rejected = async |why: &str| {
        let started = Instant::now();
        let response = deliver(&server, &fresh).await;
        assert_eq!(response.status, 503, "{why}");
        let retry_after = response
            .headers
            .iter()
            .any(|(name, _)| name == "retry-after");
        assert!(retry_after, "{why}");
        assert!(started.elapsed() < Duration::from_secs(3), "{why}");
        assert_eq!(
            deliver(&server, &delivery).await.status,
            503,
            "{why}, replayed"
        );
        assert_eq!(deliver(&server, &forged).await.status, 401, "{why}, forged");
    };
    redis.pause(true);
    rejected("Redis hangs").await;
    redis.pause(false);
    redis.kill();
    rejected("Redis is stopped").await;
    assert_eq!(server.handled(3).await.len(), 0);

    // Redis may have executed a claim whose caller had given up, and may have been killed before
    // it executed the release. Such a claim lasts until its lease expires, after the end of this
    // test.
    redis.restart();
    let fresh = signed(4);
    let mut attempts = 0;
    while deliver(&server, &fresh).await.status != 200 {
        attempts += 1;
        assert!(attempts < 100, "the store does not reconnect");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(deliver(&server, &delivery).await.status, 200);
    assert_eq!(
        server.handled(1).await.len(),
        1,
        "acknowledgement lost in the restart"
    );
    assert_eq!(server.handled(4).await.len(), 1);
}

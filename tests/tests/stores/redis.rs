//! Redis Cluster, Sentinel, and connections that the caller supplies.
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use core::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use std::{
    io::{Read, Write},
    time::Instant,
};

use redis::{cluster::ClusterClient, cmd};
use scrupp_verify_core::dedup::{Claim, DeliveryId, DeliveryStore};
use scrupp_verify_redis::{RedisStore, RedisStoreError, RedisStoreErrorKind};
use scrupp_verify_tests::{Proxy, Redis, RedisCluster, Sentinel};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    LEASE, RETENTION, grants_each_delivery_once, id,
    model::{Model, Op, count, id_of, operations, run},
    remembers, token,
};

const NAME: &str = "my_Primary";

async fn claim(store: &RedisStore, id: DeliveryId) -> Result<Claim, RedisStoreError> {
    let started = Instant::now();
    let claim = store.claim(id, token(1), LEASE).await;
    assert!(started.elapsed() < Duration::from_millis(1500));
    claim
}

/// Claims until a claim succeeds.
async fn recover(store: &RedisStore, id: DeliveryId) -> Claim {
    let started = Instant::now();
    loop {
        match claim(store, id).await {
            Ok(claim) => return claim,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(20), "{error}"),
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for the recovery after a failover, and measures the time since the servers switched.
async fn recover_after(
    label: &str,
    store: &RedisStore,
    id: DeliveryId,
    has_switched: impl Fn() -> bool + Send + 'static,
) {
    let started = Instant::now();
    let switched = tokio::task::spawn_blocking(move || {
        while !has_switched() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Instant::now()
    });
    assert_eq!(recover(store, id).await, Claim::Granted);
    let recovered = Instant::now();
    let late = recovered.saturating_duration_since(switched.await.unwrap());
    let time = recovered - started;
    println!("{label}: {time:?}, {late:?} after the servers had switched");
    assert!(late < Duration::from_secs(4), "{late:?}");
}

async fn acknowledge(store: &RedisStore, id: DeliveryId) {
    assert_eq!(claim(store, id).await.unwrap(), Claim::Granted);
    assert!(store.commit(id, token(1), RETENTION).await.unwrap());
}

/// Returns ids whose keys are in the initial slots of a node.
fn ids_on(cluster: &RedisCluster, index: u64) -> impl Iterator<Item = DeliveryId> + use<> {
    let mut look = cluster.node(1).connection();
    (10_000..).map(id).filter(move |id| {
        let key = format!("scrupp:delivery:{id}");
        let slot = cmd("CLUSTER").arg("KEYSLOT").arg(key).query(&mut look);
        slot.map(|slot: u64| slot * 3 / 16384).unwrap() == index
    })
}

/// Runs a command. Tries again if a sentinel closes the connection.
fn run_on<T: redis::FromRedisValue>(url: &str, command: &[&str]) -> T {
    let client = redis::Client::open(url).unwrap();
    let started = Instant::now();
    loop {
        let connection = client.get_connection();
        let reply = connection
            .and_then(|mut connection| cmd(command[0]).arg(&command[1..]).query(&mut connection));
        match reply {
            Ok(reply) => return reply,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(5), "{error}"),
        }
    }
}

fn is_primary(url: &str) -> bool {
    run_on::<String>(url, &["INFO", "replication"]).contains("role:master")
}

/// Waits until a replica has all keys.
async fn replicated(primary: &Redis, replica: &Redis) {
    let is_linked = || {
        let info: String = run_on(&replica.url(), &["INFO", "replication"]);
        info.contains("master_link_status:up")
    };
    let size = |redis: &Redis| run_on::<u64>(&redis.url(), &["DBSIZE"]);
    let started = Instant::now();
    while !is_linked() || size(primary) != size(replica) {
        assert!(started.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(10)).await;
    }
}

/// Checks a store against the model, while a second store uses the same deliveries.
async fn check(label: &str, stores: [RedisStore; 2]) {
    let stores = stores.map(|store| store.key_prefix(label));
    remembers(&stores[0]).await;
    let next = AtomicUsize::new(0);
    grants_each_delivery_once(|| stores[next.fetch_add(1, Ordering::Relaxed) % 2].clone()).await;
    let mut models = vec![Model::default(); 200];
    for (index, (number, op)) in operations(count() / 5).into_iter().enumerate() {
        if let Some(result) = run(&stores[index % 2], id_of(number), op).await {
            models[number as usize].check(number, op, &result);
        }
        if matches!(
            op,
            Op::Claim(_, Duration::ZERO) | Op::Commit(_, Duration::ZERO)
        ) {
            // The shortest expiry in Redis is 1 ms.
            sleep(Duration::from_millis(2)).await;
        }
    }
}

const CLUSTER_RIGHTS: &[&str] = &["+eval", "+get", "+set", "+del", "+cluster|slots", "+asking"];

/// Gives the user of [`as_user`] only these rights.
fn set_user(redis: &Redis, keys: &str, rights: &[&str]) {
    let keys = format!("~{keys}");
    let user = ["ACL", "SETUSER", "narrow", "reset", "on", ">word", &keys];
    let () = redis.run(&[&user, rights].concat());
}

fn as_user(url: &str) -> String {
    url.replace("://", "://narrow:word@")
}

#[tokio::test(flavor = "multi_thread")]
async fn supplied_connections_follow_the_model_and_grant_each_delivery_once() {
    let redis = Redis::start(&[]);
    let cluster = RedisCluster::start();
    let cluster_store = || RedisStore::cluster([&cluster.urls()[2]]).unwrap();

    let client = redis::Client::open(redis.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let manager = client.get_connection_manager().await.unwrap();
    let connection = RedisStore::from_connection(connection).unwrap();
    let manager = RedisStore::from_connection(manager).unwrap();
    check("connection", [connection, manager]).await;
    let client = ClusterClient::new(cluster.urls()).unwrap();
    let connection = client.get_async_connection().await.unwrap();
    let connection = RedisStore::from_connection(connection).unwrap();
    check("of a cluster", [connection, cluster_store()]).await;

    // The keys are on all nodes.
    for index in 0..3 {
        let keys: u64 = cluster.node(index).run(&["DBSIZE"]);
        assert!(keys > 10, "{keys} keys on node {index}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_follows_a_failover_of_a_killed_primary() {
    let mut cluster = RedisCluster::start();
    let replica = cluster.add_replica(0);
    let store = RedisStore::cluster(cluster.urls()).unwrap();
    let mut ids = ids_on(&cluster, 0);
    let handled = ids.next().unwrap();
    acknowledge(&store, handled).await;
    replicated(cluster.node(0), cluster.node(replica)).await;

    cluster.kill(0);
    let new = cluster.urls().remove(replica);
    let id = ids.next().unwrap();
    recover_after("cluster, killed", &store, id, move || is_primary(&new)).await;
    assert_eq!(recover(&store, handled).await, Claim::Acknowledged);

    // The old primary restarts as a replica, and then takes over again.
    cluster.restart(0);
    cluster.wait_until_ok();
    replicated(cluster.node(replica), cluster.node(0)).await;
    let (started, mut asked) = (Instant::now(), None::<Instant>);
    while !cluster.is_primary(0) || cluster.is_primary(replica) {
        if let Ok(claimed) = claim(&store, handled).await {
            assert_eq!(claimed, Claim::Acknowledged);
        }
        assert!(started.elapsed() < Duration::from_secs(30));
        // A requested failover times out after 5 s.
        if asked.is_none_or(|asked| asked.elapsed() > Duration::from_secs(6)) {
            let () = cluster.node(0).run(&["CLUSTER", "FAILOVER"]);
            asked = Some(Instant::now());
        }
    }
    assert_eq!(claim(&store, handled).await.unwrap(), Claim::Acknowledged);
    acknowledge(&store, ids.next().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_follows_a_failover_of_a_silent_primary() {
    let mut cluster = RedisCluster::start();
    let replica = cluster.add_replica(0);
    for index in 0..=replica {
        let set = ["CONFIG", "SET", "cluster-require-full-coverage", "no"];
        let () = cluster.node(index).run(&set);
    }
    let store = RedisStore::cluster(cluster.urls()).unwrap();
    let (mut ids, mut others) = (ids_on(&cluster, 0), ids_on(&cluster, 1));
    let handled = ids.next().unwrap();
    acknowledge(&store, handled).await;
    acknowledge(&store, others.next().unwrap()).await;
    replicated(cluster.node(0), cluster.node(replica)).await;
    let client = ClusterClient::new(cluster.urls()).unwrap();
    let supplied = client.get_async_connection().await.unwrap();
    let supplied = RedisStore::from_connection(supplied).unwrap();

    cluster.pause(0, true);
    // Claims on other nodes stay fast.
    let new = cluster.urls().remove(replica);
    let id = ids.next().unwrap();
    let silent = recover_after("cluster, silent", &store, id, move || is_primary(&new));
    let mut silent = core::pin::pin!(silent);
    let mut slowest = Duration::ZERO;
    while timeout(Duration::from_millis(5), silent.as_mut())
        .await
        .is_err()
    {
        let started = Instant::now();
        claim(&store, others.next().unwrap()).await.unwrap();
        slowest = slowest.max(started.elapsed());
    }
    println!("cluster, other nodes: at most {slowest:?}");
    assert!(slowest < Duration::from_millis(400), "{slowest:?}");
    assert_eq!(claim(&store, handled).await.unwrap(), Claim::Acknowledged);
    let late = ids.next().unwrap();
    acknowledge(&store, late).await;
    // A supplied client still sends to the silent node.
    for _ in 0..3 {
        let error = claim(&supplied, late).await.unwrap_err();
        assert_eq!(error.kind(), RedisStoreErrorKind::TimedOut);
    }

    // The old primary lacks this acknowledgement, and treats its slots as its own at first.
    cluster.pause(0, false);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        if let Ok(claimed) = claim(&store, late).await {
            assert_eq!(claimed, Claim::Acknowledged);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_claim_is_left_after_a_node_of_a_cluster_stalls() {
    let cluster = RedisCluster::start();
    let store = RedisStore::cluster(cluster.urls()).unwrap();
    let mut ids = ids_on(&cluster, 0).chain(ids_on(&cluster, 1));
    for stall in [1, 3] {
        recover(&store, ids.next().unwrap()).await;
        let ended = store.release(ids.next().unwrap(), token(1)).await;
        ended.unwrap();
        let before = cluster.claims();
        cluster.pause(0, true);
        let end = Instant::now() + Duration::from_secs(stall);
        while Instant::now() < end {
            let mut claims = JoinSet::new();
            for id in ids.by_ref().take(50) {
                let store = store.clone();
                claims.spawn(async move {
                    let _ = timeout(Duration::from_millis(300), claim(&store, id)).await;
                    let _ = store.release(id, token(1)).await;
                });
            }
            claims.join_all().await;
        }
        cluster.pause(0, false);
        recover(&store, ids.next().unwrap()).await;
        cluster.wait_until_ok();
        let started = Instant::now();
        while cluster.claims() > before + 1 {
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "{stall} s: claims left"
            );
            sleep(Duration::from_millis(20)).await;
        }
        sleep(Duration::from_millis(300)).await;
        assert!(cluster.claims() <= before + 1, "{stall} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn release_follows_its_claim_on_a_replaced_connection_to_a_node() {
    let node = Redis::start_node();
    let () = node.run(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let proxy = Proxy::start(node.address()).await;
    let url = proxy.redis_url();
    let (_, port) = url.rsplit_once(':').unwrap();
    let () = node.run(&["CONFIG", "SET", "cluster-announce-port", port]);
    let store = RedisStore::cluster([&url]).unwrap();
    recover(&store, id(1)).await;
    assert_eq!(proxy.opened(), 1);
    proxy.hold();
    let mut claims = JoinSet::new();
    for number in 100..150 {
        let store = store.clone();
        claims.spawn(async move { claim(&store, id(number)).await.unwrap_err() });
    }
    claims.join_all().await;
    recover(&store, id(1)).await;
    assert_eq!(proxy.opened(), 2);
    for number in (100..150).chain([1]) {
        store.release(id(number), token(1)).await.unwrap();
    }
    assert_eq!(node.claims(), 0);
    proxy.resume();
    // The old connection closes after Redis has executed all of its requests.
    let started = Instant::now();
    while proxy.open() > 1 {
        assert!(started.elapsed() < Duration::from_secs(5), "kept open");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(node.claims(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_reply_about_slots_keeps_the_connection() {
    let cluster = RedisCluster::start();
    let store = RedisStore::cluster(cluster.urls()).unwrap();
    let mut ids = [0, 1].map(|index| ids_on(&cluster, index).step_by(2));
    for ids in &mut ids {
        recover(&store, ids.next().unwrap()).await;
    }
    let id = ids[0].next().unwrap();
    for index in [0, 1] {
        cluster.pause(index, true);
    }
    // The store asks all nodes for the slots. Only the third node responds at once.
    let claimed = timeout(Duration::from_millis(700), claim(&store, id)).await;
    assert!(claimed.is_err());
    for index in [0, 1] {
        cluster.pause(index, false);
    }
    sleep(Duration::from_millis(2600)).await;
    recover(&store, ids[1].next().unwrap()).await;
    let clients: String = cluster.node(1).run(&["CLIENT", "LIST", "TYPE", "normal"]);
    let store = clients.lines().find(|line| line.contains("cmd=eval"));
    let age = store.unwrap().split_once(" age=").unwrap().1;
    let age: u64 = age.split_once(' ').unwrap().0.parse().unwrap();
    assert!(age >= 2, "{clients}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_follows_a_moved_slot() {
    let cluster = RedisCluster::start();
    let slot: u16 = cluster.node(0).run(&["CLUSTER", "KEYSLOT", "{one}:"]);
    let owner = usize::from(slot) * 3 / 16384;
    let (from, to) = (cluster.node(owner), cluster.node((owner + 1) % 3));
    for index in 0..3 {
        set_user(cluster.node(index), "{one}:*", CLUSTER_RIGHTS);
    }
    let store = RedisStore::cluster([as_user(&from.url())]).unwrap();
    // All keys are in one slot.
    let store = store.key_prefix("{one}:");
    let slot = slot.to_string();
    let [from_id, to_id] = [from, to].map(|node| node.run::<String>(&["CLUSTER", "MYID"]));
    acknowledge(&store, id(1)).await;

    let () = to.run(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
    let () = from.run(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
    assert_eq!(claim(&store, id(1)).await.unwrap(), Claim::Acknowledged);
    acknowledge(&store, id(2)).await;
    assert_eq!(claim(&store, id(2)).await.unwrap(), Claim::Acknowledged);
    assert_eq!(to.run::<u64>(&["CLUSTER", "COUNTKEYSINSLOT", &slot]), 1);

    let port = to.address().port().to_string();
    let key = format!("{{one}}:{}", id(1));
    let () = from.run(&["MIGRATE", "127.0.0.1", &port, &key, "0", "1000"]);
    for node in [to, from] {
        let () = node.run(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
    }
    for number in [1, 2] {
        let claimed = claim(&store, id(number)).await.unwrap();
        assert_eq!(claimed, Claim::Acknowledged);
    }
    acknowledge(&store, id(3)).await;
    assert_eq!(from.run::<u64>(&["DBSIZE"]), 0);
}

/// Returns a primary with a replica, a sentinel, and a store whose acknowledgement of delivery 1 is
/// on both servers.
async fn watched() -> (Redis, Redis, Sentinel, RedisStore) {
    let first = Redis::start(&[]);
    let second = first.start_replica();
    replicated(&first, &second).await;
    let sentinel = Sentinel::start(NAME, &first, 1);
    let store = RedisStore::sentinel([sentinel.url()], NAME).unwrap();
    acknowledge(&store, id(1)).await;
    replicated(&first, &second).await;
    (first, second, sentinel, store)
}

/// Returns a check that the sentinel reports this server as the primary.
fn names(sentinel: &Sentinel, server: &Redis) -> impl Fn() -> bool + Send + use<> {
    let (url, port) = (sentinel.url(), server.address().port());
    move || {
        let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
        run_on::<(String, u16)>(&url, &ask).1 == port
    }
}

/// Claims an acknowledged delivery until the old primary, which lacks the acknowledgement, becomes
/// a replica. Asserts that every claim returns `Acknowledged`. At first, the old primary still acts
/// as a primary.
async fn stale_primary_is_not_used(store: &RedisStore, number: u64, old: &Redis) {
    let started = Instant::now();
    let mut is_demoted = false;
    while !is_demoted {
        assert!(started.elapsed() < Duration::from_secs(30));
        is_demoted = !is_primary(&old.url());
        let claimed = claim(store, id(number)).await.unwrap();
        assert_eq!(claimed, Claim::Acknowledged);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn store_follows_sentinel_after_a_killed_primary() {
    let (mut first, second, sentinel, store) = watched().await;
    first.kill();
    let switched = names(&sentinel, &second);
    recover_after("sentinel, killed", &store, id(2), switched).await;
    assert_eq!(claim(&store, id(1)).await.unwrap(), Claim::Acknowledged);
    acknowledge(&store, id(3)).await;
    sentinel.wait_for_primary(&second);
    first.restart();
    stale_primary_is_not_used(&store, 3, &first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn store_follows_sentinel_after_a_silent_primary() {
    let (first, second, sentinel, store) = watched().await;
    first.pause(true);
    let switched = names(&sentinel, &second);
    recover_after("sentinel, silent", &store, id(2), switched).await;
    assert_eq!(claim(&store, id(1)).await.unwrap(), Claim::Acknowledged);
    acknowledge(&store, id(3)).await;
    sentinel.wait_for_primary(&second);
    first.pause(false);
    stale_primary_is_not_used(&store, 3, &first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn store_follows_a_primary_that_sentinel_demotes() {
    let (first, second, sentinel, store) = watched().await;
    let () = sentinel.run(&["SENTINEL", "FAILOVER", NAME]);
    sentinel.wait_for_primary(&second);
    // Before its demotion, the old primary still accepts claims on open connections.
    let started = Instant::now();
    while is_primary(&first.url()) {
        assert!(started.elapsed() < Duration::from_secs(30));
        sleep(Duration::from_millis(20)).await;
    }
    acknowledge(&store, id(2)).await;
    assert_eq!(claim(&store, id(1)).await.unwrap(), Claim::Acknowledged);
    let key = format!("scrupp:delivery:{}", id(2));
    assert!(second.run::<bool>(&["EXISTS", &key]));
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_sentinels_delay_no_operation() {
    let primary = Redis::start(&[]);
    let replica = primary.start_replica();
    let sentinel = Sentinel::start(NAME, &primary, 1);
    let [silent, stale, free] =
        [(); 3].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let url =
        |listener: &std::net::TcpListener| format!("redis://{}", listener.local_addr().unwrap());
    let urls = [url(&silent), url(&free), url(&stale), sentinel.url()];
    drop(free);
    let port = replica.address().port();
    std::thread::spawn(move || {
        let address = format!("*2\r\n$9\r\n127.0.0.1\r\n$5\r\n{port}\r\n");
        while let Ok((mut stream, _)) = stale.accept() {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(address.as_bytes());
            // Waits until the client closes the connection.
            let _ = stream.read(&mut request);
        }
    });
    let store = RedisStore::sentinel(&urls, NAME).unwrap();
    remembers(&store).await;

    let store = RedisStore::sentinel(&urls[1..3], NAME).unwrap();
    let error = claim(&store, id(1)).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("no primary is known") || text.starts_with("Redis cannot"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn users_need_only_the_documented_rights() {
    let cluster = RedisCluster::start();
    let urls = cluster.urls();
    let urls = urls.iter().map(|url| as_user(url));
    for index in 0..3 {
        set_user(cluster.node(index), "scrupp:delivery:*", CLUSTER_RIGHTS);
    }
    remembers(&RedisStore::cluster(urls.clone()).unwrap()).await;
    for index in 0..3 {
        set_user(
            cluster.node(index),
            "scrupp:delivery:*",
            &CLUSTER_RIGHTS[..4],
        );
    }
    let error = claim(&RedisStore::cluster(urls).unwrap(), id(1))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Redis rejected the command (NOPERM): the user has no permission for the command cluster|slots"
    );

    let primary = Redis::start(&[]);
    let sentinel = Sentinel::start(NAME, &primary, 0);
    let name = as_user(&format!("redis://{NAME}/0"));
    let ask = ["ACL", "SETUSER", "narrow", "on", ">word", "-@all"];
    let () = sentinel.run(&[&ask[..], &["+sentinel|get-master-addr-by-name"]].concat());
    let rights = ["+eval", "+get", "+set", "+del", "+role"];
    // Without `ROLE`, the store detects a replica at the first operation.
    for (prefix, rights) in [("all", &rights[..]), ("no-role", &rights[..4])] {
        set_user(&primary, &format!("{prefix}*"), rights);
        let store = RedisStore::sentinel([as_user(&sentinel.url())], &name).unwrap();
        remembers(&store.key_prefix(prefix)).await;
    }
    let () = sentinel.run(&["ACL", "SETUSER", "narrow", "-@all"]);
    let store = RedisStore::sentinel([as_user(&sentinel.url())], &name).unwrap();
    let error = claim(&store, id(1)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Redis rejected the command (NOPERM): the user has no permission for the command \
         sentinel|get-master-addr-by-name"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn supplied_connection_is_replaced_by_its_owner() {
    let redis = Redis::start(&[]);
    let client = redis::Client::open(redis.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let manager = client.get_connection_manager().await.unwrap();
    let [plain, managed] = [
        RedisStore::from_connection(connection).unwrap(),
        RedisStore::from_connection(manager).unwrap(),
    ];
    acknowledge(&plain, id(1)).await;
    acknowledge(&managed, id(2)).await;
    redis.pause(true);
    for store in [&plain, &managed] {
        let error = claim(store, id(1)).await.unwrap_err();
        assert_eq!(error.kind(), RedisStoreErrorKind::TimedOut, "{error}");
    }
    redis.pause(false);
    for store in [&plain, &managed] {
        assert_eq!(claim(store, id(1)).await.unwrap(), Claim::Acknowledged);
    }
    let _: redis::Value = redis.run(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert_eq!(claim(&managed, id(2)).await.unwrap(), Claim::Acknowledged);
    for _ in 0..2 {
        let error = claim(&plain, id(1)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "Redis cannot be reached: connection closed"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_the_cause() {
    let redis = Redis::start(&[]);
    let sentinel = Sentinel::start(NAME, &redis, 0);
    let error = claim(&RedisStore::cluster([redis.url()]).unwrap(), id(1)).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "Redis rejected the command (ERR): the server is not a node of a Redis Cluster"
    );
    let error = claim(&RedisStore::sentinel([redis.url()], NAME).unwrap(), id(1)).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "Redis rejected the command (ERR): the server is not a sentinel"
    );
    let error = claim(
        &RedisStore::sentinel([sentinel.url()], "other").unwrap(),
        id(1),
    )
    .await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), RedisStoreErrorKind::NoPrimary);
    assert_eq!(
        error.to_string(),
        "no primary is known: the sentinels do not monitor a primary of this name"
    );
    let node = Redis::start_node();
    let error = claim(&RedisStore::cluster([node.url()]).unwrap(), id(1)).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "no primary is known: no node of the cluster has a slot"
    );

    const NONE: &[&str] = &[];
    for (urls, reason) in [
        (NONE, "at least one URL is needed"),
        (
            &["redis://127.0.0.1", "127.0.0.1"],
            "the scheme must be redis:// or rediss://",
        ),
        (
            &["unix:///run/redis.sock"],
            "a Unix socket or a database number is not supported here",
        ),
        (
            &["redis://127.0.0.1/1"],
            "a Unix socket or a database number is not supported here",
        ),
    ] {
        let text = format!("invalid Redis URL: {reason}");
        assert_eq!(RedisStore::cluster(urls).unwrap_err().to_string(), text);
        assert_eq!(
            RedisStore::sentinel(urls, NAME).unwrap_err().to_string(),
            text
        );
    }
    for name in ["", "unix:///run/redis.sock", "a/b", "redis://"] {
        let error = RedisStore::sentinel(["redis://127.0.0.1"], name).unwrap_err();
        assert_eq!(error.kind(), RedisStoreErrorKind::InvalidUrl, "{name}");
    }
}

//! The kinds of Redis servers in the suite.

use core::time::Duration;

use scrupp_verify_core::dedup::DeliveryStore;
use scrupp_verify_redis::RedisStore;
use scrupp_verify_tests::{Redis, RedisCluster, Sentinel};
use tokio::time::sleep;

use crate::{LEASE, faults::Server, id, processes::Shared, suite::Shape, token};

pub(crate) struct Single(Redis);

impl Shape for Single {
    type Store = RedisStore;

    async fn start() -> Self {
        Self(Redis::start(&[]))
    }

    async fn store(&self) -> RedisStore {
        Self::connect(&self.address()).await
    }
}

impl Shared for Single {
    fn address(&self) -> String {
        self.0.url()
    }

    async fn connect(address: &str) -> RedisStore {
        RedisStore::new(address).unwrap()
    }
}

impl Server for Single {
    fn kill(&mut self) {
        self.0.kill();
    }

    async fn restart(&mut self) {
        self.0.restart();
    }

    fn pause(&self, is_paused: bool) {
        self.0.pause(is_paused);
    }
}

pub(crate) struct Cluster(RedisCluster);

impl Shape for Cluster {
    type Store = RedisStore;

    async fn start() -> Self {
        Self(RedisCluster::start())
    }

    async fn store(&self) -> RedisStore {
        Self::connect(&self.address()).await
    }
}

impl Shared for Cluster {
    fn address(&self) -> String {
        self.0.urls().join(",")
    }

    async fn connect(address: &str) -> RedisStore {
        RedisStore::cluster(address.split(',')).unwrap()
    }
}

impl Server for Cluster {
    fn kill(&mut self) {
        (0..3).for_each(|node| self.0.kill(node));
    }

    async fn restart(&mut self) {
        (0..3).for_each(|node| self.0.restart(node));
        self.0.wait_until_ok();
    }

    fn pause(&self, is_paused: bool) {
        (0..3).for_each(|node| self.0.pause(node, is_paused));
    }
}

/// A primary with a Redis Sentinel.
pub(crate) struct Watched(Redis, Sentinel);

impl Shape for Watched {
    type Store = RedisStore;

    async fn start() -> Self {
        let primary = Redis::start(&[]);
        let sentinel = Sentinel::start("main", &primary, 0);
        Self(primary, sentinel)
    }

    async fn store(&self) -> RedisStore {
        Self::connect(&self.address()).await
    }
}

impl Shared for Watched {
    fn address(&self) -> String {
        self.1.url()
    }

    async fn connect(address: &str) -> RedisStore {
        RedisStore::sentinel([address], "main").unwrap()
    }
}

impl Server for Watched {
    fn kill(&mut self) {
        self.0.kill();
    }

    async fn restart(&mut self) {
        self.0.restart();
    }

    fn pause(&self, is_paused: bool) {
        self.0.pause(is_paused);
    }
}

#[tokio::test]
async fn sends_no_time_of_the_local_clock() {
    let redis = Redis::start(&["--slowlog-log-slower-than", "0"]);
    let store = Single::connect(&redis.url()).await;
    let sent = async || {
        store.claim(id(1), token(1), LEASE).await.unwrap();
        let slow: redis::Value = redis.run(&["SLOWLOG", "GET", "1"]);
        let redis::Value::Array(entries) = &slow else {
            panic!("{slow:?}")
        };
        let redis::Value::Array(entry) = &entries[0] else {
            panic!("{slow:?}")
        };
        format!("{:?}", entry[3])
    };
    let first = sent().await;
    assert!(first.contains("60000"), "{first}");
    sleep(Duration::from_millis(1100)).await;
    assert_eq!(sent().await, first);
}

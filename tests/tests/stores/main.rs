//! One test suite for all stores, with one model and real servers, and further tests of each store.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod crash;
mod faults;
mod histories;
mod memory;
mod model;
mod postgres;
mod processes;
mod redis;
mod redis_shapes;
mod sqlite;
mod suite;
mod transaction;

use core::time::Duration;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use scrupp_verify_core::dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore};
use tokio::task::JoinSet;

/// Instantiates the suite for a kind of store, with the optional tests `processes` and `server`.
macro_rules! suite {
    ($name:ident: $shape:ty $(, $part:ident)*) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn follows_the_model() {
                crate::suite::follows_the_model::<$shape>().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn results_of_concurrent_tasks_follow_the_rules() {
                crate::suite::results_of_concurrent_tasks_follow_the_rules::<$shape>().await;
            }

            $(suite!(@$part $name: $shape);)*
        }
    };
    (@processes $name:ident: $shape:ty) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn each_delivery_is_granted_to_one_process() {
            let worker = concat!(stringify!($name), "::worker");
            crate::processes::grant_each_delivery_once::<$shape>(worker).await;
        }

        #[tokio::test]
        #[ignore = "runs as a process of the test above"]
        async fn worker() {
            crate::processes::work::<$shape>().await;
        }
    };
    (@server $name:ident: $shape:ty) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn survives_a_server_that_is_killed_or_paused() {
            crate::faults::survives_a_server_that_is_killed_or_paused::<$shape>().await;
        }
    };
}

suite!(in_memory: crate::memory::Memory);
suite!(in_sqlite: crate::sqlite::File, processes);
suite!(in_postgres: crate::postgres::Straight, processes, server);
suite!(behind_pgbouncer: crate::postgres::Pooled, processes, server);
suite!(in_redis: crate::redis_shapes::Single, processes, server);
suite!(in_cluster: crate::redis_shapes::Cluster, processes, server);
suite!(by_sentinel: crate::redis_shapes::Watched, processes, server);

const LEASE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(86_400);

fn id(number: u64) -> DeliveryId {
    DeliveryId::of(&[&number.to_be_bytes()])
}

fn token(number: u8) -> ClaimToken {
    ClaimToken::from_bytes([number; 16])
}

/// A directory for the files of a test. Removed on drop.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("scrupp-stores-{}-{number}", process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        Self(directory)
    }

    fn file(&self) -> PathBuf {
        self.path().join("deliveries.db")
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Asserts that one of many concurrent claims of a delivery is granted.
async fn grants_each_delivery_once<S>(stores: impl Fn() -> S)
where
    S: DeliveryStore + Send + Sync + 'static,
    S::Error: core::fmt::Debug + Send,
{
    for number in 100..120 {
        let mut claims = JoinSet::new();
        for by in 0..10 {
            let store = stores();
            claims.spawn(async move { store.claim(id(number), token(by), LEASE).await.unwrap() });
        }
        let granted = claims.join_all().await.into_iter();
        assert_eq!(granted.filter(|claim| *claim == Claim::Granted).count(), 1);
    }
}

/// Asserts that an acknowledgement is remembered, and that a released delivery can be claimed
/// again.
async fn remembers<S>(store: &S)
where
    S: DeliveryStore,
    S::Error: core::fmt::Debug,
{
    assert_eq!(
        store.claim(id(1), token(1), LEASE).await.unwrap(),
        Claim::Granted
    );
    assert_eq!(
        store.claim(id(1), token(2), LEASE).await.unwrap(),
        Claim::InFlight
    );
    assert!(!store.commit(id(1), token(2), RETENTION).await.unwrap());
    store.release(id(1), token(2)).await.unwrap();
    assert_eq!(
        store.claim(id(1), token(2), LEASE).await.unwrap(),
        Claim::InFlight
    );
    store.release(id(1), token(1)).await.unwrap();
    assert_eq!(
        store.claim(id(1), token(2), LEASE).await.unwrap(),
        Claim::Granted
    );
    assert!(store.commit(id(1), token(2), RETENTION).await.unwrap());
    assert_eq!(
        store.claim(id(1), token(1), LEASE).await.unwrap(),
        Claim::Acknowledged
    );
    store.release(id(1), token(2)).await.unwrap();
    assert_eq!(
        store.claim(id(1), token(3), LEASE).await.unwrap(),
        Claim::Acknowledged
    );
}

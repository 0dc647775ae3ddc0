//! The servers of the stores, and their faults.

use core::{mem, time::Duration};
use std::{env, fs, path::PathBuf, process};

use scrupp_verify_tests::{Postgres, Proxy, Redis, RedisCluster};
use sqlx::{Connection, SqliteConnection, query_scalar};
use tokio::{task::block_in_place, time::sleep};

pub(crate) const STORES: [&str; 4] = ["redis", "cluster", "postgres", "sqlite"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    KilledReceiver,
    /// The server is killed, and restarts with its data after two seconds.
    Killed,
    /// The server is killed, and restarts without the data of the last second.
    PowerLoss,
    /// A replica becomes the primary.
    Failover,
    /// The server does not respond for four seconds.
    Silence,
    /// Another process holds the lock of the file for three seconds.
    Locked,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KilledReceiver => "receiver killed",
            Self::Killed => "server killed",
            Self::PowerLoss => "power lost",
            Self::Failover => "failed over",
            Self::Silence => "silent",
            Self::Locked => "locked",
        }
    }
}

const STOPPED: Duration = Duration::from_secs(2);
const SILENT: Duration = Duration::from_secs(4);

/// The servers of a store, or the file of SQLite.
pub(crate) enum Servers {
    Redis {
        primary: Redis,
        replica: Redis,
        /// The address of the primary.
        proxy: Proxy,
    },
    /// Three primaries, and a replica of the first.
    Cluster(RedisCluster),
    Postgres {
        server: Postgres,
        proxy: Proxy,
    },
    Sqlite(PathBuf),
}

impl Servers {
    pub(crate) async fn start(store: &str) -> Self {
        match store {
            "sqlite" => {
                let number = fastrand::u64(..);
                let folder = env::temp_dir().join(format!("soak-{}-{number}", process::id()));
                fs::create_dir(&folder).expect("a directory");
                Self::Sqlite(folder)
            }
            "postgres" => {
                let server = Postgres::start().await;
                let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into()).await;
                Self::Postgres { server, proxy }
            }
            "cluster" => block_in_place(|| {
                let mut cluster = RedisCluster::start();
                cluster.add_replica(0);
                Self::Cluster(cluster)
            }),
            _ => {
                // A common setting: writes reach the disk within a second.
                let primary = Redis::start(&["--appendfsync", "everysec"]);
                Self::Redis {
                    replica: primary.start_replica(),
                    proxy: Proxy::start(primary.address()).await,
                    primary,
                }
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Redis { proxy, .. } => proxy.redis_url(),
            Self::Cluster(cluster) => {
                let urls = cluster.urls().join(",").replace("redis://", "");
                format!("redis+cluster://{urls}")
            }
            Self::Postgres { proxy, .. } => proxy.postgres_url(),
            Self::Sqlite(folder) => format!("sqlite:{}", file(folder).display()),
        }
    }

    pub(crate) fn faults(&self) -> &[Fault] {
        match self {
            Self::Redis { .. } => &[
                Fault::Killed,
                Fault::PowerLoss,
                Fault::Failover,
                Fault::Silence,
            ],
            Self::Cluster(_) => &[Fault::Killed, Fault::Failover, Fault::Silence],
            Self::Postgres { .. } => &[Fault::Killed, Fault::Silence],
            Self::Sqlite(_) => &[Fault::Locked],
        }
    }

    pub(crate) async fn fail(&mut self, fault: Fault) {
        match self {
            Self::Redis {
                primary,
                replica,
                proxy,
            } => fail_redis(primary, replica, proxy, fault).await,
            Self::Cluster(cluster) => fail_cluster(cluster, fault).await,
            Self::Postgres { server, .. } if fault == Fault::Killed => {
                server.kill();
                sleep(STOPPED).await;
                server.restart().await;
            }
            Self::Postgres { server, .. } => {
                server.pause(true);
                sleep(SILENT).await;
                server.pause(false);
            }
            Self::Sqlite(folder) => {
                let mut connection = open(folder).await;
                let lock = connection.begin_with("BEGIN IMMEDIATE").await;
                let lock = lock.expect("the lock");
                sleep(Duration::from_secs(3)).await;
                lock.rollback().await.expect("rolled back");
            }
        }
    }

    /// Returns the number of deliveries that are claimed and not acknowledged.
    pub(crate) async fn claims(&self) -> usize {
        match self {
            Self::Redis { primary, .. } => primary.claims(),
            Self::Cluster(cluster) => cluster.claims(),
            Self::Postgres { server, .. } => {
                let live = "SELECT count(*) FROM scrupp_deliveries
                    WHERE token IS NOT NULL AND expires_at > now()";
                server.sql(live).parse().expect("a number")
            }
            Self::Sqlite(folder) => {
                let live = "SELECT count(*) FROM scrupp_deliveries
                    WHERE token IS NOT NULL AND expires_at > unixepoch() * 1000";
                let mut connection = open(folder).await;
                let claims = query_scalar::<_, i64>(live).fetch_one(&mut connection);
                claims.await.expect("a number") as usize
            }
        }
    }
}

async fn fail_redis(primary: &mut Redis, replica: &mut Redis, proxy: &Proxy, fault: Fault) {
    match fault {
        Fault::Failover => {
            block_in_place(|| primary.fail_over_to(replica));
            mem::swap(primary, replica);
            // The address points to the old primary for a moment.
            sleep(Duration::from_millis(300)).await;
            proxy.set_target(primary.address());
        }
        Fault::Silence => {
            proxy.hold();
            sleep(SILENT).await;
            // Redis now executes requests whose callers have given up.
            proxy.resume();
        }
        Fault::PowerLoss => {
            let written = primary.written();
            sleep(Duration::from_secs(1)).await;
            primary.kill();
            primary.forget_since(&written);
            sleep(STOPPED).await;
            primary.restart();
        }
        _ => {
            primary.kill();
            sleep(STOPPED).await;
            primary.restart();
        }
    }
}

/// Causes a fault of a cluster. The first and the last node are a primary and its replica, which
/// fail over to each other.
async fn fail_cluster(cluster: &mut RedisCluster, fault: Fault) {
    match fault {
        Fault::Failover => block_in_place(|| cluster.fail_over()),
        Fault::Silence => {
            cluster.pause(1, true);
            sleep(SILENT).await;
            cluster.pause(1, false);
        }
        _ => {
            cluster.kill(2);
            sleep(STOPPED).await;
            block_in_place(|| {
                cluster.restart(2);
                cluster.wait_until_ok();
            });
        }
    }
}

fn file(folder: &std::path::Path) -> PathBuf {
    folder.join("deliveries.db")
}

async fn open(folder: &std::path::Path) -> SqliteConnection {
    let url = format!("sqlite:{}", file(folder).display());
    SqliteConnection::connect(&url).await.expect("a connection")
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Self::Sqlite(folder) = self {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

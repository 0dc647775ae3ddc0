use core::{fmt, time::Duration};
use std::sync::Arc;

use redis::{Cmd, FromRedisValue, Value, aio::ConnectionLike, cmd, from_redis_value};
use scrupp_verify_core::dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore};
use tokio::{runtime::Handle, sync::oneshot, time::timeout};

#[cfg(feature = "cluster")]
use crate::cluster::Cluster;
#[cfg(feature = "sentinel")]
use crate::sentinel::Sentinels;
use crate::{
    RedisStoreError, RedisStoreErrorKind,
    connection::{Connector, LINGER, Source, TIMEOUT, Tasks, client},
    url,
};

/// A [`DeliveryStore`] in Redis (7 or later) or Valkey, for a service of several processes.
///
/// Each operation is one round trip and touches one key. A key's value is the word `acknowledged`,
/// or the [`ClaimToken`] of the claim in hex digits. Every key expires.
///
/// # Connecting
///
/// The first operation connects. Clones share the connection, and their operations do not wait for
/// each other. The connection runs on the Tokio runtime in which the store was created, so create it
/// in a runtime that lives as long as the server. With actix-web that is `#[actix_web::main]`, not
/// the closure that every worker calls.
///
/// An operation fails after one second at most. A closed connection is replaced within the operation.
/// The store also replaces a connection that
///
/// - gets `READONLY`, `MASTERDOWN` or `NOAUTH`, or
/// - has had no reply for 2.5 s after a request.
///
/// Every attempt to connect resolves the host name again, or asks the sentinels. Attempts begin at
/// least 100 ms apart. While Redis loads its data (`LOADING`), operations are repeated within their
/// second.
///
/// # Cancel safety
///
/// A commit and a release continue as a background task on the store's runtime, for at most 60 s. If
/// their connection is replaced because it went silent, they are sent on the new one as well. A
/// release is also sent on the connection of its claim, even after that was replaced. So Redis
/// releases a claim that it executes late. The tasks end when the last clone is dropped.
///
/// # Security
///
/// Write access to this Redis allows an attacker to replay or suppress genuine deliveries, but not
/// to forge one.
///
/// A user of Redis needs these rights, here with the default prefix:
///
/// ```text
/// ACL SETUSER scrupp on >password resetkeys ~scrupp:delivery:* -@all +eval +get +set +del
/// ```
///
/// `+select` is needed if the URL names a database other than 0. To connect, the store sends `AUTH`
/// if the URL has a password, `SELECT` if it has a database, and `INFO cluster`. With `+info`, the
/// store detects a node of a Redis Cluster when it connects. Without that right, Redis's `ACL LOG` shows
/// one denied command for each connection.
///
/// In a Redis Cluster, the user needs `+cluster|slots` and `+asking` as well, on every node. Behind
/// Sentinel, give the user `+role`, so that the store never connects to a replica. A user of the
/// sentinels needs only `+sentinel|get-master-addr-by-name`.
///
/// # Examples
///
/// ```
/// use scrupp_verify_redis::{RedisStore, RedisStoreErrorKind};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::new("redis://127.0.0.1:6379/0")?.key_prefix("billing:scrupp:");
///
/// let error = RedisStore::new("http://127.0.0.1").unwrap_err();
/// assert_eq!(error.kind(), RedisStoreErrorKind::InvalidUrl);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
    key_prefix: Arc<str>,
}

struct Shared {
    servers: Arc<Servers>,
    runtime: Handle,
    /// Commits and releases, which continue without their caller.
    tasks: Tasks,
}

enum Servers {
    One(Connector),
    #[cfg(feature = "cluster")]
    Cluster(Cluster),
}

impl Servers {
    async fn run(&self, command: &Cmd) -> Result<Value, RedisStoreError> {
        match self {
            Self::One(connector) => connector.run(command).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.run(command).await,
        }
    }

    fn send_late(&self, command: &Cmd) {
        match self {
            Self::One(connector) => connector.send_late(command),
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.send_late(command),
        }
    }
}

const CLAIM: &str = "
local held = redis.call('GET', KEYS[1])
if held == 'acknowledged' then return 'acknowledged' end
if held and held ~= ARGV[1] then return 'in flight' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'granted'";

const COMMIT: &str = "
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] and held ~= 'acknowledged' then return 0 end
redis.call('SET', KEYS[1], 'acknowledged', 'PX', ARGV[2])
return 1";

const RELEASE: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0";

impl RedisStore {
    /// Creates a store in the Redis at this URL: `redis://[[user]:password@]host[:port][/database]`,
    /// or `rediss://` with the feature `tls`. Does not connect yet.
    ///
    /// Percent-encode `#`, `/`, `?` and `@` in the user name and the password.
    ///
    /// # Errors
    ///
    /// [`RedisStoreErrorKind::InvalidUrl`], and [`RedisStoreErrorKind::NoRuntime`] outside of a
    /// Tokio runtime.
    pub fn new(url: &str) -> Result<Self, RedisStoreError> {
        Self::of(Source::Server(client(&url::read(url)?)?))
    }

    /// Creates a store in a Redis Cluster. At least one of these nodes has to be reachable to learn
    /// of the others. Does not connect yet.
    ///
    /// Each primary has a connection of its own, so a silent one does not hold up the keys of the
    /// others. If a primary is silent for 0.5 s or cannot be reached, the store asks all nodes for
    /// their slots.
    ///
    /// Other nodes are reached with the user, the password and the TLS of the node that names them.
    /// With `rediss://`, the nodes have to announce the host names of their certificates
    /// (`cluster-announce-hostname`, and `cluster-preferred-endpoint-type hostname`).
    ///
    /// # Errors
    ///
    /// [`RedisStoreErrorKind::InvalidUrl`], also for a database other than 0 or no URL at all, and
    /// [`RedisStoreErrorKind::NoRuntime`] outside of a Tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_redis::RedisStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = RedisStore::cluster(["redis://10.0.0.1:6379", "redis://10.0.0.2:6379"])?;
    ///
    /// let error = RedisStore::cluster(["redis://10.0.0.1:6379/1"]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "invalid Redis URL: neither a Unix socket nor a database is possible here"
    /// );
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "cluster")]
    pub fn cluster<U: AsRef<str>>(
        urls: impl IntoIterator<Item = U>,
    ) -> Result<Self, RedisStoreError> {
        let nodes = url::read_all(urls)?;
        let runtime = current_runtime()?;
        let cluster = Cluster::new(&nodes, runtime.clone())?;
        Ok(Self::with_servers(Servers::Cluster(cluster), runtime))
    }

    /// Creates a store in the primary that these sentinels watch. Does not connect yet.
    ///
    /// The primary is its name, or a URL with the name as the host if it needs a user, a password, a
    /// database or TLS: `redis://user:password@mymaster/0`. A user and a password in the sentinels'
    /// URLs are for the sentinels.
    ///
    /// Every attempt to connect asks all sentinels at once, and takes the first one that names a
    /// primary. With `rediss://`, the sentinels have to announce the host names of the servers'
    /// certificates (`sentinel resolve-hostnames` and `sentinel announce-hostnames`).
    ///
    /// # Errors
    ///
    /// [`RedisStoreErrorKind::InvalidUrl`], also for no URL at all, and
    /// [`RedisStoreErrorKind::NoRuntime`] outside of a Tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_redis::RedisStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sentinels = ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379"];
    /// let store = RedisStore::sentinel(sentinels, "redis://scrupp:password@mymaster")?;
    ///
    /// assert!(RedisStore::sentinel(["10.0.0.1:26379"], "mymaster").is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sentinel")]
    pub fn sentinel<U: AsRef<str>>(
        urls: impl IntoIterator<Item = U>,
        primary: &str,
    ) -> Result<Self, RedisStoreError> {
        let sentinels = url::read_all(urls)?;
        let sentinels = sentinels.iter().map(client).collect::<Result<_, _>>()?;
        let (name, primary) = url::read_primary(primary)?;
        Self::of(Source::Sentinels(Arc::new(Sentinels {
            sentinels,
            name,
            primary,
        })))
    }

    /// Creates a store on an asynchronous connection that the service already has, of release 1 of
    /// the `redis` crate.
    ///
    /// An operation fails after one second at most, and is repeated within 0.8 s if the connection
    /// reports that it was closed. To replace the connection is its owner's task:
    ///
    /// | connection | replaced if |
    /// |---|---|
    /// | `MultiplexedConnection` | never, so every operation fails once it is closed |
    /// | `ConnectionManager` | it is closed, but not if it is silent or Redis responds with `READONLY` |
    /// | `ClusterConnection` | a node closes it or a slot is moved, but not if a node is silent |
    ///
    /// A release does not follow its claim to a connection that the owner has replaced. A claim that
    /// Redis executes late then stays until its lease ends.
    ///
    /// # Errors
    ///
    /// [`RedisStoreErrorKind::NoRuntime`] outside of a Tokio runtime.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use scrupp_verify_redis::RedisStore;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = redis::Client::open("redis://127.0.0.1:6379")?;
    /// let connection = client.get_multiplexed_async_connection().await?;
    /// let store = RedisStore::from_connection(connection)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_connection<C>(connection: C) -> Result<Self, RedisStoreError>
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        Self::of(Source::given(connection))
    }

    fn of(source: Source) -> Result<Self, RedisStoreError> {
        let runtime = current_runtime()?;
        let connector = Connector::new(source, runtime.clone());
        Ok(Self::with_servers(Servers::One(connector), runtime))
    }

    fn with_servers(servers: Servers, runtime: Handle) -> Self {
        Self {
            shared: Arc::new(Shared {
                servers: Arc::new(servers),
                runtime,
                tasks: Tasks::default(),
            }),
            key_prefix: "scrupp:delivery:".into(),
        }
    }

    /// Sets the prefix of all keys, by default `scrupp:delivery:`. Stores with the same prefix share
    /// their deliveries. In a Redis Cluster, a prefix with `{` and `}` puts all keys into one slot.
    #[must_use]
    pub fn key_prefix(mut self, prefix: &str) -> Self {
        self.key_prefix = prefix.into();
        self
    }

    /// Creates the command that runs a script. The script's text is always sent, so one round trip
    /// is enough.
    fn command(&self, script: &str, id: DeliveryId, token: ClaimToken) -> Cmd {
        let mut command = cmd("EVAL");
        command
            .arg(script)
            .arg(1)
            .arg(format!("{}{id}", self.key_prefix))
            .arg(format!("{:032x}", u128::from_be_bytes(*token.as_bytes())));
        command
    }

    /// Runs a command that continues if its caller gives up.
    async fn finish<T: FromRedisValue>(&self, command: Cmd) -> Result<T, RedisStoreError> {
        let (sender, reply) = oneshot::channel();
        let Shared {
            servers, runtime, ..
        } = &*self.shared;
        let servers = Arc::clone(servers);
        let run = async move {
            let _ = sender.send(timeout(LINGER, servers.run(&command)).await);
        };
        if !self.shared.tasks.spawn(runtime, run) {
            return Err(timed_out());
        }
        match timeout(TIMEOUT, reply).await {
            Ok(Ok(Ok(reply))) => read(reply?),
            Ok(Err(_)) => Err(RedisStoreError::runtime_ended()),
            Err(_) | Ok(Ok(Err(_))) => Err(timed_out()),
        }
    }
}

impl DeliveryStore for RedisStore {
    type Error = RedisStoreError;

    async fn claim(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        lease: Duration,
    ) -> Result<Claim, RedisStoreError> {
        let mut command = self.command(CLAIM, id, token);
        command.arg(millis(lease));
        let reply = timeout(TIMEOUT, self.shared.servers.run(&command)).await;
        match &*read::<String>(reply.map_err(|_| timed_out())??)? {
            "granted" => Ok(Claim::Granted),
            "in flight" => Ok(Claim::InFlight),
            "acknowledged" => Ok(Claim::Acknowledged),
            _ => Err(RedisStoreError::new(RedisStoreErrorKind::Unexpected)),
        }
    }

    async fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> Result<bool, RedisStoreError> {
        let mut command = self.command(COMMIT, id, token);
        command.arg(millis(retention));
        self.finish(command).await
    }

    async fn release(&self, id: DeliveryId, token: ClaimToken) -> Result<(), RedisStoreError> {
        let command = self.command(RELEASE, id, token);
        // The claim may have been sent on one of these connections, and not have been executed.
        self.shared.servers.send_late(&command);
        self.finish::<i64>(command).await.map(drop)
    }
}

fn current_runtime() -> Result<Handle, RedisStoreError> {
    let no_runtime = |_| RedisStoreError::new(RedisStoreErrorKind::NoRuntime);
    Handle::try_current().map_err(no_runtime)
}

fn timed_out() -> RedisStoreError {
    RedisStoreError::new(RedisStoreErrorKind::TimedOut)
}

fn read<T: FromRedisValue>(reply: Value) -> Result<T, RedisStoreError> {
    let unexpected = |_| RedisStoreError::new(RedisStoreErrorKind::Unexpected);
    from_redis_value(reply).map_err(unexpected)
}

/// Converts to what Redis takes as an expiry: whole milliseconds, rounded up so that a claim lasts
/// at least as long as asked, from 1 to the most that Redis can count to.
fn millis(duration: Duration) -> u64 {
    const MAX: u64 = 1 << 52;
    let millis = duration.as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).unwrap_or(MAX).clamp(1, MAX)
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("key_prefix", &self.key_prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_expiries_up_to_whole_milliseconds() {
        for (duration, expiry) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(900), 900),
            (Duration::from_nanos(900_000_001), 901),
            (Duration::MAX, 1 << 52),
        ] {
            assert_eq!(millis(duration), expiry, "{duration:?}");
        }
    }
}

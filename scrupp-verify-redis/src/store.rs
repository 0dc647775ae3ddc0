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

/// A [`DeliveryStore`] in Redis (7 or later) or Valkey, shared by any number of processes.
///
/// Each operation is one round trip and touches one key. The value of a key is `acknowledged`, or the
/// [`ClaimToken`] of the claim in hex digits. Every key expires.
///
/// The store connects on the first operation. Clones share the connection, and their operations run
/// concurrently. An operation that takes longer than 1 s fails. [Failures](crate#failures) lists when the
/// store replaces its connection. Attempts to connect start at least 100 ms apart, and each of them
/// resolves the host name again.
///
/// # Runtime
///
/// Create the store in a Tokio runtime that lives as long as the server, because the connection runs on
/// that runtime. With actix-web, create the store in `#[actix_web::main]`, not in the closure that each
/// worker calls.
///
/// # Cancel safety
///
/// If a claim is dropped before completion, Redis may still execute it. A later release ends that claim.
/// Without a release, the claim expires with its lease.
///
/// If a commit or a release is dropped before completion, the operation continues as a background task
/// on the store's runtime. The task ends after 60 s at most. If the connection is replaced because it is
/// silent, the task sends the operation on the new connection too. A release is also sent on the old
/// connection, so it takes effect after a claim that Redis executes late. Background tasks end when the
/// last clone is dropped.
///
/// # Security
///
/// Write access to this Redis allows an attacker to replay or suppress genuine deliveries, but not
/// to forge one.
///
/// The Redis user needs these permissions, shown for the default key prefix:
///
/// ```text
/// ACL SETUSER scrupp on >password resetkeys ~scrupp:delivery:* -@all +eval +get +set +del
/// ```
///
/// Some setups need more permissions:
///
/// - `+select` if the URL names a database other than 0.
/// - `+info` to detect a node of a Redis Cluster on connecting. Without this permission, Redis's `ACL LOG`
///   records one denied command for each connection.
/// - `+cluster|slots` and `+asking` on every node of a Redis Cluster.
/// - `+role` behind Sentinel, so that the store never connects to a replica.
///
/// A user of the sentinels needs only `+sentinel|get-master-addr-by-name`.
///
/// # Examples
///
/// This example needs a Redis server at this address:
///
/// ```no_run
/// use scrupp_verify_core::dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore};
/// use scrupp_verify_redis::RedisStore;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::new("redis://127.0.0.1:6379")?;
///
/// let lease = Duration::from_secs(60);
/// let id = DeliveryId::of(&[b"process 6666"]);
/// let (first, second) = (ClaimToken::from_bytes([1; 16]), ClaimToken::from_bytes([2; 16]));
/// assert_eq!(store.claim(id, first, lease).await?, Claim::Granted);
/// assert_eq!(store.claim(id, second, lease).await?, Claim::InFlight);
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
    /// Tasks of commits and releases. A task continues after its caller is dropped.
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
    /// Creates a store that uses the Redis server at a URL. Does not connect.
    ///
    /// The URL is `redis://[[user]:password@]host[:port][/database]`, `rediss://` with the feature `tls`,
    /// or `unix://` with the path of a socket. Percent-encode `#`, `/`, `?` and `@` in the user name and
    /// the password.
    ///
    /// # Errors
    ///
    /// - [`RedisStoreErrorKind::InvalidUrl`] if the URL is not valid.
    /// - [`RedisStoreErrorKind::NoRuntime`] outside of a Tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_redis::{RedisStore, RedisStoreErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// assert!(RedisStore::new("redis://scrupp:pass%23word@127.0.0.1:6379/0").is_ok());
    ///
    /// let error = RedisStore::new("redis://scrupp:pass#word@127.0.0.1:6379/0").unwrap_err();
    /// assert_eq!(error.kind(), RedisStoreErrorKind::InvalidUrl);
    /// # }
    /// ```
    pub fn new(url: &str) -> Result<Self, RedisStoreError> {
        Self::of(Source::Server(client(&url::read(url)?)?))
    }

    /// Creates a store that uses a Redis Cluster. Does not connect.
    ///
    /// `urls` are the URLs of nodes of the cluster. At least one of them must be reachable. The store
    /// discovers the other nodes through the first one that responds.
    ///
    /// Each primary has its own connection, so a silent primary does not delay operations on the others.
    /// If a primary is unreachable or silent for 0.5 s, the store asks all nodes for their slots.
    ///
    /// The store connects to another node with the user, the password and the TLS settings of the node
    /// that names it. With `rediss://`, set `cluster-announce-hostname` to the host name in each node's
    /// certificate, and `cluster-preferred-endpoint-type` to `hostname`.
    ///
    /// # Errors
    ///
    /// - [`RedisStoreErrorKind::InvalidUrl`] if a URL is not valid, names a Unix socket or a database
    ///   other than 0, or if there is no URL.
    /// - [`RedisStoreErrorKind::NoRuntime`] outside of a Tokio runtime.
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
    ///     "invalid Redis URL: a Unix socket or a database number is not supported here"
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

    /// Creates a store that uses a primary monitored by Sentinel. Does not connect.
    ///
    /// `urls` are the URLs of the sentinels, with the user and the password for the sentinels. `primary` is
    /// the name of the primary. If the primary needs a user, a password, a database or TLS, use a URL with
    /// the name as the host: `redis://user:password@mymaster/0`.
    ///
    /// Each attempt to connect asks all sentinels at once and uses the first response that leads to a
    /// primary. With `rediss://`, set `sentinel resolve-hostnames` and `sentinel announce-hostnames` to
    /// `yes`, so that the sentinels announce the host names in the servers' certificates.
    ///
    /// # Errors
    ///
    /// - [`RedisStoreErrorKind::InvalidUrl`] if a URL is not valid, or if there is no URL of a sentinel.
    ///   The URL of a sentinel must not name a Unix socket or a database other than 0.
    /// - [`RedisStoreErrorKind::NoRuntime`] outside of a Tokio runtime.
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

    /// Creates a store on an existing asynchronous connection of the `redis` crate, version 1.
    ///
    /// The store never replaces this connection. An operation that takes longer than 1 s fails. If the
    /// connection reports that it is closed, the store repeats the operation for up to 0.8 s, because some
    /// types of connection reconnect:
    ///
    /// | type | reconnects | does not reconnect |
    /// |---|---|---|
    /// | `MultiplexedConnection` | never | after the connection is closed |
    /// | `ConnectionManager` | after the connection is closed | if the server is silent or responds with `READONLY` |
    /// | `ClusterConnection` | after a node closes its connection, or a slot is moved | if a node is silent |
    ///
    /// # Cancel safety
    ///
    /// After the connection has reconnected, a release is sent only on the new connection. A claim that
    /// Redis executes late on the old one expires with its lease.
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

    /// Sets the prefix of all keys, so that a service can share its Redis with others. The default is
    /// `scrupp:delivery:`.
    ///
    /// Stores with the same prefix share their deliveries. In a Redis Cluster, a prefix that contains
    /// `{` and `}` puts all keys into one slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_redis::RedisStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = RedisStore::new("redis://127.0.0.1:6379")?.key_prefix("billing:scrupp:");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn key_prefix(mut self, prefix: &str) -> Self {
        self.key_prefix = prefix.into();
        self
    }

    /// Creates the command that runs a script. Always sends the script's text, because `EVALSHA` may need
    /// a second round trip.
    fn command(&self, script: &str, id: DeliveryId, token: ClaimToken) -> Cmd {
        let mut command = cmd("EVAL");
        command
            .arg(script)
            .arg(1)
            .arg(format!("{}{id}", self.key_prefix))
            .arg(format!("{:032x}", u128::from_be_bytes(*token.as_bytes())));
        command
    }

    /// Runs a command that continues after its caller is dropped.
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
        // Redis may not have executed the claim yet if it was sent on a replaced connection.
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

/// Converts a duration to whole milliseconds, rounded up and within the range that Redis accepts as an
/// expiry.
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

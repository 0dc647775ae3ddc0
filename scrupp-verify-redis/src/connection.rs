use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, RedisError, RedisFuture, RedisResult,
    Value,
    aio::ConnectionLike,
    cmd, from_redis_value,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use tokio::{
    runtime::Handle,
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{RedisStoreError, RedisStoreErrorKind};

/// The time limit of an attempt to connect, and of an operation.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// The time limit of a request whose caller no longer waits.
pub(crate) const LINGER: Duration = Duration::from_secs(60);

/// The time after which a failed operation is not repeated. The last attempt still ends within
/// [`TIMEOUT`].
pub(crate) const RETRY: Duration = Duration::from_millis(800);

/// The minimum time between two attempts to connect, and between two requests while Redis loads its data.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// The time without a reply after which a connection is replaced. Three operations in a row that time out
/// exceed this time.
const SILENCE: Duration = Duration::from_millis(2500);

/// The time before the kernel probes an idle connection, and between two probes.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// The time limit for the other end to acknowledge data or probes.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// The connection that all clones of a store share, which is replaced after a failure.
///
/// One attempt to connect runs at a time, and all operations wait for its result.
pub(crate) struct Connector {
    source: Source,
    runtime: Handle,
    state: Mutex<State>,
    tasks: Tasks,
}

struct State {
    /// The latest attempt, whose result is the connection in use.
    attempt: Attempt,
    started: Instant,
    /// Replaced connections with requests that have no reply yet.
    retired: Vec<Weak<Connection>>,
}

/// An attempt to connect. `None` while the attempt is pending.
type Attempt = watch::Receiver<Option<Result<Arc<Connection>, RedisStoreError>>>;

/// The origin of a connection.
#[derive(Clone)]
pub(crate) enum Source {
    /// A server that is not a node of a Redis Cluster.
    Server(Client),
    #[cfg(feature = "cluster")]
    Node(Client),
    #[cfg(feature = "sentinel")]
    Sentinels(Arc<crate::sentinel::Sentinels>),
    /// An existing connection, which its owner replaces.
    Given(Query),
}

/// A function that sends a command on a connection of any type.
pub(crate) type Query = Arc<dyn for<'a> Fn(&'a Cmd) -> RedisFuture<'a, Value> + Send + Sync>;

impl Source {
    pub(crate) fn given<C>(connection: C) -> Self
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        Self::Given(query_on(connection))
    }

    async fn open(&self) -> Result<Connection, RedisStoreError> {
        match self {
            Self::Server(client) => {
                let connection = Connection::open(client).await?;
                connection.reject_cluster_node().await?;
                Ok(connection)
            }
            #[cfg(feature = "cluster")]
            Self::Node(client) => Ok(Connection::open(client).await?),
            #[cfg(feature = "sentinel")]
            Self::Sentinels(sentinels) => sentinels.open().await,
            Self::Given(query) => Ok(Connection::new(Arc::clone(query))),
        }
    }
}

fn query_on<C>(connection: C) -> Query
where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    Arc::new(move |command| {
        let mut connection = connection.clone();
        Box::pin(async move { command.query_async(&mut connection).await })
    })
}

/// Creates a client with the settings of all connections of a store.
pub(crate) fn client(info: &ConnectionInfo) -> RedisResult<Client> {
    #[cfg(feature = "tls")]
    {
        // Fails if the program has installed a provider of its own.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let redis = info.redis_settings().clone().set_skip_set_lib_name();
    let info = info.clone().set_redis_settings(redis);
    Client::open(info.set_tcp_settings(tcp_settings()))
}

/// Creates a client for another server with the same credentials, database and TLS settings.
#[cfg(any(feature = "cluster", feature = "sentinel"))]
pub(crate) fn client_at(info: &ConnectionInfo, host: &str, port: u16) -> RedisResult<Client> {
    use redis::ConnectionAddr;

    let mut address = info.addr().clone();
    match &mut address {
        ConnectionAddr::TcpTls {
            host: old_host,
            port: old_port,
            ..
        } => (*old_host, *old_port) = (host.into(), port),
        _ => address = ConnectionAddr::Tcp(host.into(), port),
    }
    client(&info.clone().set_addr(address))
}

impl Connector {
    pub(crate) fn new(source: Source, runtime: Handle) -> Self {
        Self {
            source,
            runtime,
            state: Mutex::new(State {
                attempt: watch::channel(None).1,
                started: Instant::now(),
                retired: Vec::new(),
            }),
            tasks: Tasks::default(),
        }
    }

    /// Sends a command. Repeats it if the connection is replaced or Redis is loading its data.
    ///
    /// The token of an operation makes it idempotent, so it can be repeated.
    pub(crate) async fn run(&self, command: &Cmd) -> Result<Value, RedisStoreError> {
        let started = Instant::now();
        loop {
            let connection = self.connection().await?;
            let error = match timeout(SILENCE, connection.query(command)).await {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(error)) => error,
                // Redis may still execute a claim on this connection, so this command must follow it.
                Err(_) => {
                    self.linger(connection, command.clone());
                    continue;
                }
            };
            match error.code() {
                Some("LOADING") => sleep(PAUSE).await,
                // The connection is closed or remains unusable.
                None | Some("READONLY" | "MASTERDOWN" | "NOREPLICAS" | "MISCONF" | "NOAUTH") => {
                    self.replace(&connection);
                }
                Some(_) => return Err(error.into()),
            }
            if started.elapsed() > RETRY {
                return Err(error.into());
            }
        }
    }

    /// Returns the connection in use. Waits for one if there is none.
    async fn connection(&self) -> Result<Arc<Connection>, RedisStoreError> {
        let mut attempt = self.attempt();
        let done = attempt.wait_for(Option::is_some).await;
        let done = done.ok().and_then(|result| result.clone());
        done.unwrap_or_else(|| Err(RedisStoreError::runtime_ended()))
    }

    fn attempt(&self) -> Attempt {
        let mut state = self.state();
        let result = state.attempt.borrow().clone();
        match result {
            Some(Ok(connection)) if connection.is_silent() => self.retire(&mut state, &connection),
            Some(Ok(_)) => return state.attempt.clone(),
            None if state.attempt.has_changed().is_ok() => return state.attempt.clone(),
            None | Some(Err(_)) => {}
        }
        self.connect(&mut state)
    }

    /// Replaces a connection, unless another operation already has.
    fn replace(&self, connection: &Arc<Connection>) {
        let mut state = self.state();
        let current = state.attempt.borrow().clone();
        if matches!(current, Some(Ok(current)) if Arc::ptr_eq(&current, connection)) {
            self.retire(&mut state, connection);
            self.connect(&mut state);
        }
    }

    /// Keeps a connection open until Redis has executed all its requests, for at most [`LINGER`].
    fn retire(&self, state: &mut State, connection: &Arc<Connection>) {
        state.retired.retain(|retired| retired.strong_count() > 0);
        state.retired.push(Arc::downgrade(connection));
        // Redis responds in order, so the reply to this request comes last. Every user of the store has
        // the permission to run `EVAL`.
        let mut last = cmd("EVAL");
        last.arg("return 0").arg(0);
        self.linger(Arc::clone(connection), last);
    }

    /// Sends a command on this connection in the background.
    fn linger(&self, connection: Arc<Connection>, command: Cmd) {
        self.tasks.spawn(&self.runtime, async move {
            let _ = timeout(LINGER, connection.query(&command)).await;
        });
    }

    fn connect(&self, state: &mut State) -> Attempt {
        let (sender, attempt) = watch::channel(None);
        let start = Instant::now().max(state.started + PAUSE);
        let source = self.source.clone();
        self.tasks.spawn(&self.runtime, async move {
            sleep_until(start).await;
            let connection = timeout(TIMEOUT, source.open()).await;
            let timed_out = |_| Err(RedisStoreError::new(RedisStoreErrorKind::TimedOut));
            let _ = sender.send(Some(connection.unwrap_or_else(timed_out).map(Arc::new)));
        });
        (state.started, state.attempt) = (start, attempt.clone());
        attempt
    }

    /// Sends a command on the replaced connections, because Redis may still execute a claim there.
    pub(crate) fn send_late(&self, command: &Cmd) {
        for connection in self.state().retired.iter().filter_map(Weak::upgrade) {
            self.linger(connection, command.clone());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection. Redis executes its requests in the order in which they are sent.
pub(crate) struct Connection {
    query: Query,
    /// The time of the first request since the last reply.
    waiting_since: Mutex<Option<Instant>>,
}

impl Connection {
    fn new(query: Query) -> Self {
        Self {
            query,
            waiting_since: Mutex::new(None),
        }
    }

    pub(crate) async fn open(client: &Client) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        Ok(Self::new(query_on(connection.await?)))
    }

    /// Rejects a node of a Redis Cluster, because a single node serves only some of the keys.
    async fn reject_cluster_node(&self) -> Result<(), RedisStoreError> {
        match self.query(cmd("INFO").arg("cluster")).await {
            Ok(info) => {
                let info = from_redis_value::<String>(info).unwrap_or_default();
                if info.contains("cluster_enabled:1") {
                    return Err(RedisStoreError::new(RedisStoreErrorKind::ClusterNode));
                }
            }
            Err(error) if is_unavailable(&error) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    pub(crate) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        self.waiting_since().get_or_insert_with(Instant::now);
        let reply = (self.query)(command).await;
        *self.waiting_since() = None;
        reply
    }

    fn is_silent(&self) -> bool {
        let since = *self.waiting_since();
        since.is_some_and(|since| since.elapsed() >= SILENCE)
    }

    fn waiting_since(&self) -> MutexGuard<'_, Option<Instant>> {
        let since = self.waiting_since.lock();
        since.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns true if the user has no permission for the command, or the server does not support it.
pub(crate) fn is_unavailable(error: &RedisError) -> bool {
    let is_unknown = |detail: &str| detail.starts_with("unknown command");
    error.code() == Some("NOPERM") || error.detail().is_some_and(is_unknown)
}

/// Returns the settings with which the kernel closes a connection whose other end is gone.
fn tcp_settings() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(USER_TIMEOUT);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let keepalive = keepalive.with_interval(KEEPALIVE);
    settings.set_keepalive(keepalive)
}

/// Background tasks, which are aborted when this value is dropped.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    /// The maximum number of tasks at once.
    const MAX: usize = 10_000;

    /// Spawns a task. Returns `false` if [`Self::MAX`] tasks run.
    pub(crate) fn spawn<F>(&self, runtime: &Handle, task: F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        let is_room = tasks.len() < Self::MAX;
        if is_room {
            tasks.spawn_on(task, runtime);
        }
        is_room
    }
}

#[cfg(all(test, any(feature = "cluster", feature = "sentinel")))]
mod tests {
    use redis::{ConnectionAddr, IntoConnectionInfo};

    use super::*;

    #[test]
    fn client_at_keeps_credentials_database_and_tls() {
        for url in [
            "redis://user:word@one:1/2",
            #[cfg(feature = "tls")]
            "rediss://user:word@one:1/2",
        ] {
            let info = url.into_connection_info().unwrap();
            let other = client_at(&info, "two", 3).unwrap();
            let other = other.get_connection_info();
            let is_tls = matches!(
                other.addr(),
                ConnectionAddr::TcpTls {
                    insecure: false,
                    ..
                }
            );
            assert_eq!(is_tls, url.starts_with("rediss"));
            assert_eq!(other.addr().to_string(), "two:3");
            assert_eq!(other.redis_settings().username(), Some("user"));
            assert_eq!(other.redis_settings().password(), Some("word"));
            assert_eq!(other.redis_settings().db(), 2);
        }
    }
}

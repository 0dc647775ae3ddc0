use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use redis::{
    AsyncConnectionConfig, Client, Cmd, RedisError, RedisResult, Value,
    aio::MultiplexedConnection,
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

/// How long Redis may take to accept a connection or to respond.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// How long a request stays on its connection after its caller gave up.
pub(crate) const LINGER: Duration = Duration::from_secs(60);

/// How long an operation is sent again after an error. The last one still fits into [`TIMEOUT`].
const RETRY: Duration = Duration::from_millis(800);

/// The shortest time between two attempts to connect, and between two requests while Redis loads.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a request may be without a reply before its connection is replaced. The third of three
/// operations that time out in a row exceeds it.
const SILENCE: Duration = Duration::from_millis(2500);

/// How long the kernel waits before it probes an idle connection, and between two probes.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How long the other end may take to acknowledge data or probes.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// The connection that all clones of a store share, and how to replace it.
///
/// One attempt to connect runs at a time, and every operation waits for the same one.
pub(crate) struct Connector {
    client: Client,
    runtime: Handle,
    state: Mutex<State>,
    tasks: Tasks,
}

struct State {
    /// The latest attempt, whose result is the connection in use.
    attempt: Attempt,
    started: Instant,
    /// Replaced connections on which Redis has not responded to every request.
    retired: Vec<Weak<Connection>>,
}

/// An attempt to connect, pending while it holds `None`.
type Attempt = watch::Receiver<Option<Result<Arc<Connection>, RedisStoreError>>>;

impl Connector {
    pub(crate) fn new(client: &Client, runtime: Handle) -> Result<Self, RedisStoreError> {
        let info = client.get_connection_info();
        let redis = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.clone().set_redis_settings(redis);
        Ok(Self {
            client: Client::open(info.set_tcp_settings(tcp_settings()))?,
            runtime,
            state: Mutex::new(State {
                attempt: watch::channel(None).1,
                started: Instant::now(),
                retired: Vec::new(),
            }),
            tasks: Tasks::default(),
        })
    }

    /// Sends a command. Sends it again if the connection is replaced or Redis loads.
    ///
    /// Each operation can be repeated, because its token makes it idempotent.
    pub(crate) async fn run(&self, command: &Cmd) -> Result<Value, RedisStoreError> {
        let started = Instant::now();
        loop {
            let connection = self.connection().await?;
            let error = match timeout(SILENCE, connection.query(command)).await {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(error)) => error,
                // Redis may still execute a late claim, so this command has to follow it.
                Err(_) => {
                    self.linger(connection, command.clone());
                    continue;
                }
            };
            match error.code() {
                Some("LOADING") => sleep(PAUSE).await,
                // The connection is closed, or never becomes usable again.
                None | Some("READONLY" | "MASTERDOWN" | "NOAUTH") => self.replace(&connection),
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

    /// Replaces a connection, unless another operation has replaced it.
    fn replace(&self, connection: &Arc<Connection>) {
        let mut state = self.state();
        let current = state.attempt.borrow().clone();
        if matches!(current, Some(Ok(current)) if Arc::ptr_eq(&current, connection)) {
            self.retire(&mut state, connection);
            self.connect(&mut state);
        }
    }

    /// Keeps a connection until Redis has executed what was sent on it, for at most [`LINGER`].
    fn retire(&self, state: &mut State, connection: &Arc<Connection>) {
        state.retired.retain(|retired| retired.strong_count() > 0);
        state.retired.push(Arc::downgrade(connection));
        // Redis responds in order, so the reply to this request comes last. No other command is sure
        // to be permitted.
        let mut last = cmd("EVAL");
        last.arg("return 0").arg(0);
        self.linger(Arc::clone(connection), last);
    }

    /// Sends a command on this connection in the background.
    pub(crate) fn linger(&self, connection: Arc<Connection>, command: Cmd) {
        self.tasks.spawn(&self.runtime, async move {
            let _ = timeout(LINGER, connection.query(&command)).await;
        });
    }

    fn connect(&self, state: &mut State) -> Attempt {
        let (sender, attempt) = watch::channel(None);
        let start = Instant::now().max(state.started + PAUSE);
        let client = self.client.clone();
        self.tasks.spawn(&self.runtime, async move {
            sleep_until(start).await;
            let connection = timeout(TIMEOUT, Connection::open(&client)).await;
            let timed_out = |_| Err(RedisStoreError::new(RedisStoreErrorKind::TimedOut));
            let _ = sender.send(Some(connection.unwrap_or_else(timed_out).map(Arc::new)));
        });
        (state.started, state.attempt) = (start, attempt.clone());
        attempt
    }

    /// Returns the replaced connections on which a claim may still wait to be executed.
    pub(crate) fn retired(&self) -> Vec<Arc<Connection>> {
        self.state()
            .retired
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection. Redis executes its requests in the order in which they were sent.
pub(crate) struct Connection {
    redis: MultiplexedConnection,
    /// The time of the first request since the last reply.
    waiting_since: Mutex<Option<Instant>>,
}

impl Connection {
    /// Connects, and rejects a node of a Redis Cluster, which would serve some keys only.
    async fn open(client: &Client) -> Result<Self, RedisStoreError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = Self {
            redis: client
                .get_multiplexed_async_connection_with_config(&config)
                .await?,
            waiting_since: Mutex::new(None),
        };
        match connection.query(cmd("INFO").arg("cluster")).await {
            Ok(info) => {
                let info = from_redis_value::<String>(info).unwrap_or_default();
                if info.contains("cluster_enabled:1") {
                    return Err(RedisStoreError::new(RedisStoreErrorKind::ClusterNode));
                }
            }
            // The user may not run INFO, or the server does not know it.
            Err(error) if matches!(error.code(), Some("NOPERM")) || unknown_command(&error) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(connection)
    }

    pub(crate) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        self.waiting_since().get_or_insert_with(Instant::now);
        let reply = command.query_async(&mut self.redis.clone()).await;
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

fn unknown_command(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.starts_with("unknown command"))
}

/// Tells the kernel to close a connection whose other end is gone.
fn tcp_settings() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(USER_TIMEOUT);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let keepalive = keepalive.with_interval(KEEPALIVE);
    settings.set_keepalive(keepalive)
}

/// Background tasks that end with their owner.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    /// The most tasks at once.
    const MAX: usize = 10_000;

    /// Spawns a task. Returns `false` if there are too many.
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

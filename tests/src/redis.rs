use core::time::Duration;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Instant,
};

use crate::free_port;

/// A Redis server on a free port of 127.0.0.1, which writes each command to disk before it
/// responds. Stopped on drop.
#[derive(Debug)]
pub struct Redis {
    address: SocketAddr,
    directory: PathBuf,
    options: Vec<String>,
    server: Option<Child>,
}

/// Time limit for a server to start.
const TIMEOUT: Duration = Duration::from_secs(20);

impl Redis {
    /// Starts a server with further options, and waits until it accepts connections.
    #[must_use]
    pub fn start(options: &[&str]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("redis-{}-{number}", process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let mut redis = Self {
            address: (Ipv4Addr::LOCALHOST, free_port()).into(),
            directory,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            server: None,
        };
        redis.restart();
        redis
    }

    /// Starts a node of a Redis Cluster that has met no other node.
    #[must_use]
    pub fn start_node() -> Self {
        // By default, the bus port is the port plus 10,000, which may be taken or too large.
        let bus = free_port().to_string();
        // Short, so that a replica takes over soon after its primary is gone.
        let timeout = ["--cluster-node-timeout", "1000"];
        let cluster = ["--cluster-enabled", "yes", "--cluster-port", &bus];
        Self::start(&[&cluster[..], &timeout].concat())
    }

    /// Introduces another node of a Redis Cluster.
    pub fn meet(&self, node: &Self) {
        let (_, bus): (String, String) = node.run(&["CONFIG", "GET", "cluster-port"]);
        let port = node.address.port().to_string();
        let () = self.run(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
    }

    /// Returns the address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Opens a connection.
    #[must_use]
    pub fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).expect("a URL");
        client.get_connection().expect("a connection")
    }

    /// Returns the number of calls of a command, including calls in scripts.
    #[must_use]
    pub fn calls(&self, command: &str) -> u64 {
        let mut connection = self.connection();
        let info = redis::cmd("INFO")
            .arg("commandstats")
            .query::<String>(&mut connection);
        let name = format!("cmdstat_{command}:calls=");
        let info = info.expect("statistics");
        let line = info.lines().find_map(|line| line.strip_prefix(&name));
        let calls = line.and_then(|line| line.split(',').next());
        calls.map_or(0, |calls| calls.parse().expect("a number"))
    }

    /// Runs a command.
    ///
    /// # Panics
    ///
    /// Panics if Redis responds with an error.
    #[must_use]
    pub fn run<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let reply = redis::cmd(command[0])
            .arg(&command[1..])
            .query::<T>(&mut self.connection());
        reply.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Starts a replica of this server.
    #[must_use]
    pub fn start_replica(&self) -> Self {
        let replica = Self::start(&[]);
        let port = self.address.port().to_string();
        let () = replica.run(&["REPLICAOF", "127.0.0.1", &port]);
        replica
    }

    /// Makes a replica the primary and this server its replica. Waits until both are in sync, so
    /// nothing is lost. Connections stay open.
    pub fn fail_over_to(&self, replica: &Self) {
        let reports = |redis: &Self, what: &str| {
            let info: String = redis.run(&["INFO", "replication"]);
            info.contains(what)
        };
        let port = replica.address.port().to_string();
        let online = format!("port={port},state=online");
        wait_until("the replica is in sync", || reports(self, &online));
        let () = self.run(&["FAILOVER", "TO", "127.0.0.1", &port]);
        wait_until("the replica is the primary", || {
            reports(replica, "role:master") && reports(self, "role:slave")
        });
    }

    /// Returns the number of deliveries that are claimed and not acknowledged.
    #[must_use]
    pub fn claims(&self) -> usize {
        let mut connection = self.connection();
        let keys = redis::cmd("KEYS").arg("*").query(&mut connection);
        let keys: Vec<String> = keys.expect("keys");
        let mut value = |key| redis::cmd("GET").arg(key).query(&mut connection);
        let values = keys
            .into_iter()
            .filter_map(|key| value(key).expect("a value"));
        values
            .filter(|value: &String| value != "acknowledged")
            .count()
    }

    /// Returns true if the server was started and has not been killed since.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.server.is_some()
    }

    /// Returns the files that the server has written, with their lengths.
    #[must_use]
    pub fn written(&self) -> Vec<(PathBuf, u64)> {
        let files = fs::read_dir(self.directory.join("appendonlydir")).expect("files");
        let files = files.map(|file| file.expect("a file"));
        let lengths = files.map(|file| (file.path(), file.metadata().expect("a file").len()));
        lengths.collect()
    }

    /// Truncates the files of a killed server to earlier lengths, as a power loss does.
    pub fn forget_since(&self, written: &[(PathBuf, u64)]) {
        for (path, length) in written {
            let file = fs::OpenOptions::new().write(true).open(path);
            let cut = file.and_then(|file| file.set_len(*length));
            cut.expect("cut");
        }
    }

    /// Kills the server.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("killed");
            server.wait().expect("ended");
        }
    }

    /// Stops or resumes the server without closing a connection.
    pub fn pause(&self, paused: bool) {
        let pid = self.server.as_ref().expect("a server").id().to_string();
        let signal = if paused { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "the signal was not sent"
        );
    }

    /// Restarts the server with its data after it was killed.
    pub fn restart(&mut self) {
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"])
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .args(["--repl-diskless-sync-delay", "0"])
            .args(["--port", &self.address.port().to_string()])
            .arg("--dir")
            .arg(&self.directory)
            .args(&self.options)
            .stdout(Stdio::null())
            .spawn();
        self.server =
            Some(server.expect("redis-server is missing (Debian: apt-get install redis-server)"));
        wait_until("Redis is ready", || {
            let server = self.server.as_mut().expect("started");
            let ended = server.try_wait().expect("a status");
            assert!(ended.is_none(), "Redis exited: {ended:?}");
            self.is_ready()
        });
    }

    /// Returns true if the server responds to commands. Returns false while it loads its files.
    fn is_ready(&self) -> bool {
        let client = redis::Client::open(self.url()).expect("a URL");
        let pong = client
            .get_connection()
            .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
        match pong {
            Ok(_) => true,
            // A server may require a password.
            Err(error) => error.code().is_some_and(|code| code != "LOADING"),
        }
    }
}

/// Waits until a condition is true, and panics after a time limit.
pub(crate) fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < TIMEOUT, "still not true: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

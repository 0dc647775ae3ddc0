use std::{
    collections::HashMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{Redis, free_port, redis::wait_until};

/// A single Redis Sentinel, which promotes a replica after the primary has been silent for 2 s.
/// Stopped on drop.
#[derive(Debug)]
pub struct Sentinel {
    address: SocketAddr,
    directory: PathBuf,
    server: Child,
}

impl Sentinel {
    /// Starts a sentinel for a primary, and waits until it lists this many replicas.
    #[must_use]
    pub fn start(name: &str, primary: &Redis, replicas: usize) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("sentinel-{}-{number}", process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let file = directory.join("sentinel.conf");
        let settings = format!(
            "bind 127.0.0.1\nport {}\ndir {}\nloglevel warning\n\
             sentinel monitor {name} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {name} 2000\n\
             sentinel failover-timeout {name} 3000\n",
            address.port(),
            directory.display(),
            primary.address().port(),
        );
        fs::write(&file, settings).expect("a file");
        let server = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .spawn();
        let sentinel = Self {
            address,
            directory,
            server: server.expect("redis-server is missing (Debian: apt-get install redis-server)"),
        };
        wait_until("the sentinel listens", || {
            TcpStream::connect(address).is_ok()
        });
        sentinel.wait_for_replicas(name, replicas);
        sentinel
    }

    /// Waits until the sentinel lists this many replicas that can take over.
    pub fn wait_for_replicas(&self, name: &str, replicas: usize) {
        wait_until("the sentinel lists the replicas", || {
            let known: Vec<HashMap<String, String>> = self.run(&["SENTINEL", "REPLICAS", name]);
            let is = |replica: &HashMap<_, _>, key, value| {
                replica
                    .get(key)
                    .is_some_and(|found: &String| found == value)
            };
            let ready = known.iter().filter(|replica| {
                is(replica, "flags", "slave") && is(replica, "master-link-status", "ok")
            });
            ready.count() == replicas
        });
    }

    /// Waits until a failover to this primary has ended.
    pub fn wait_for_primary(&self, primary: &Redis) {
        let named = format!("status=ok,address={},", primary.address());
        wait_until("the failover has ended", || {
            self.run::<String>(&["INFO", "sentinel"]).contains(&named)
        });
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Runs a command.
    ///
    /// # Panics
    ///
    /// Panics if the sentinel responds with an error.
    #[must_use]
    pub fn run<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(self.url()).expect("a URL");
        let mut connection = client.get_connection().expect("a connection");
        let reply = redis::cmd(command[0])
            .arg(&command[1..])
            .query::<T>(&mut connection);
        reply.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

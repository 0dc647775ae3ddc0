use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{Redis, redis::wait_until};

/// A Redis Sentinel of a test's own, which decides alone and promotes a replica once the primary
/// has been silent for half a second. It ends with the value.
#[derive(Debug)]
pub struct Sentinel {
    address: SocketAddr,
    directory: PathBuf,
    server: Child,
}

impl Sentinel {
    /// Starts it for a primary, and waits until it knows the number of replicas.
    #[must_use]
    pub fn start(name: &str, primary: &Redis, replicas: usize) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("sentinel-{}-{number}", process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = free.expect("a free port");
        let file = directory.join("sentinel.conf");
        let settings = format!(
            "bind 127.0.0.1\nport {}\ndir {}\nloglevel warning\n\
             sentinel monitor {name} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {name} 500\n\
             sentinel failover-timeout {name} 2000\n",
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
            server: server.expect("redis-server, of Debian's package of that name"),
        };
        wait_until("the sentinel listens", || {
            TcpStream::connect(address).is_ok()
        });
        let known = format!("slaves={replicas},");
        wait_until("the sentinel knows the replicas", || {
            let info: String = sentinel.run(&["INFO", "sentinel"]);
            info.contains("status=ok") && info.contains(&known)
        });
        sentinel
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Runs a command.
    ///
    /// # Panics
    ///
    /// If it responds with an error.
    #[must_use]
    pub fn run<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let reply = self.try_run(command);
        reply.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Runs a command.
    ///
    /// # Errors
    ///
    /// What it responds with.
    pub fn try_run<T: redis::FromRedisValue>(&self, command: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url()).expect("a URL");
        let mut connection = client.get_connection().expect("a connection");
        redis::cmd(command[0])
            .arg(&command[1..])
            .query(&mut connection)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

use core::time::Duration;
use std::{
    fs,
    net::Ipv4Addr,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tokio::{net::TcpStream, time::sleep};

use crate::{Postgres, free_port, postgres::UNPRIVILEGED};

/// A PgBouncer in transaction mode, in front of a [`Postgres`]. Stopped on drop.
#[derive(Debug)]
pub struct PgBouncer {
    pooler: Child,
    configuration: PathBuf,
    port: u16,
}

impl PgBouncer {
    /// Starts PgBouncer with four server connections and further settings.
    pub async fn start(postgres: &Postgres, settings: &str) -> Self {
        let port = free_port();
        let configuration = std::env::temp_dir().join(format!("scrupp-pgbouncer-{port}.ini"));
        let server = postgres.port();
        let text = format!(
            "[databases]
             postgres = host=127.0.0.1 port={server} dbname=postgres user=test
             [pgbouncer]
             listen_addr = 127.0.0.1
             listen_port = {port}
             unix_socket_dir =
             auth_type = any
             pool_mode = transaction
             default_pool_size = 4
             server_round_robin = 1
             {settings}"
        );
        let lines = text.lines().map(str::trim_start);
        let text = lines.collect::<Vec<_>>().join("\n");
        fs::write(&configuration, text).expect("written");
        let mut command = Command::new("/usr/sbin/pgbouncer");
        command.arg(&configuration).stderr(Stdio::null());
        // PgBouncer does not run as root.
        if fs::metadata(&configuration).expect("a file").uid() == 0 {
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
        }
        let pooler = command.spawn();
        let bouncer = Self {
            pooler: pooler.expect("pgbouncer is missing (Debian: apt-get install pgbouncer)"),
            configuration,
            port,
        };
        for _ in 0..200 {
            let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
            if connected.is_ok() {
                return bouncer;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("PgBouncer does not listen");
    }

    /// Returns the URL of the database through PgBouncer.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://test@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.pooler.kill();
        let _ = self.pooler.wait();
        let _ = fs::remove_file(&self.configuration);
    }
}

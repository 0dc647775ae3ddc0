use core::time::Duration;
use std::{
    env, fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tokio::time::sleep;

use crate::free_port;

/// A PostgreSQL server. Stopped on drop.
#[derive(Debug)]
pub struct Postgres {
    server: Option<Child>,
    programs: PathBuf,
    directory: PathBuf,
    port: u16,
}

/// User id of `nobody`, because the server does not run as root.
pub(crate) const UNPRIVILEGED: u32 = 65534;

impl Postgres {
    /// Starts a server on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let mut postgres = Self::new();
        let mut initdb = postgres.program("initdb");
        initdb.args(["--username=test", "--auth=trust", "--no-sync"]);
        assert!(initdb.status().is_ok_and(|status| status.success()));
        postgres.restart().await;
        postgres
    }

    /// Starts a standby. The primary then acknowledges a commit only after both have it.
    pub async fn start_standby(&self) -> Self {
        let mut standby = Self::new();
        let mut copy = standby.program("pg_basebackup");
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        copy.args(["--dbname", &self.url()]);
        assert!(copy.status().is_ok_and(|status| status.success()));
        standby.restart().await;
        let _ = self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'");
        let _ = self.sql("SELECT pg_reload_conf()");
        standby
    }

    fn new() -> Self {
        let programs =
            programs().expect("PostgreSQL is missing (Debian: apt-get install postgresql)");
        let port = free_port();
        let directory = env::temp_dir().join(format!("scrupp-postgres-{port}"));
        fs::create_dir(&directory).expect("a directory");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("private");
        if fs::metadata(&directory).expect("a directory").uid() == 0 {
            chown(&directory, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).expect("its owner");
        }
        Self {
            server: None,
            programs,
            directory,
            port,
        }
    }

    /// Restarts the server with its data after it was killed.
    pub async fn restart(&mut self) {
        let port = self.port.to_string();
        let mut server = self.program("postgres");
        server.args(["-p", &port, "-h", "127.0.0.1"]);
        server.args(["-c", "unix_socket_directories="]);
        self.server = Some(server.spawn().expect("a server"));
        for _ in 0..400 {
            let mut ready = Command::new("pg_isready");
            ready.args(["-h", "127.0.0.1", "-p", &port, "--quiet"]);
            if ready.status().is_ok_and(|status| status.success()) {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("PostgreSQL is not ready");
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.arg("-D").arg(&self.directory);
        command.current_dir(&self.directory);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let owner = fs::metadata(&self.directory).expect("a directory").uid();
        if owner == UNPRIVILEGED {
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
        }
        command
    }

    /// Kills the server and the processes of its connections.
    pub fn kill(&mut self) {
        self.signal("-KILL");
        if let Some(mut server) = self.server.take() {
            server.wait().expect("ended");
        }
    }

    /// Stops or resumes the server without closing a connection.
    pub fn pause(&self, is_paused: bool) {
        self.signal(if is_paused { "-STOP" } else { "-CONT" });
    }

    /// Sends a signal to the server and to the processes of its connections.
    fn signal(&self, signal: &str) {
        let Some(server) = &self.server else { return };
        let pid = server.id().to_string();
        let kill = |signal, pids: &str| {
            let mut kill = Command::new("kill");
            kill.arg(signal).args(pids.split_whitespace());
            let _ = kill.stderr(Stdio::null()).status();
        };
        // A stopped server starts no further processes.
        kill("-STOP", &pid);
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        kill(signal, &children.unwrap_or_default());
        kill(signal, &pid);
    }

    /// Returns the URL of the database.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("test")
    }

    /// Returns the URL of the database for another role.
    #[must_use]
    pub fn url_of(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the port that the server listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL, and returns the output of `psql`.
    #[must_use]
    pub fn sql(&self, sql: &str) -> String {
        let output = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--dbname", &self.url()])
            .args(["--command", sql])
            .output();
        let output = output.expect("psql is missing (Debian: apt-get install postgresql)");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.pause(false);
        if let Some(mut server) = self.server.take() {
            // SIGINT requests a fast shutdown, which ends the processes of its connections.
            let pid = server.id().to_string();
            let _ = Command::new("kill").args(["-INT", &pid]).status();
            let _ = server.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Returns the directory of the server's programs, from `PATH` or where Debian installs them.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = versions.flatten().map(|version| version.path().join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let has_all = |directory: &PathBuf| {
        let has_file = |name: &str| Path::is_file(&directory.join(name));
        ["postgres", "initdb", "pg_basebackup"]
            .iter()
            .all(|name| has_file(name))
    };
    env::split_paths(&path).chain(debian).find(has_all)
}

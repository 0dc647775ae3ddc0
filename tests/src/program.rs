use std::{
    env,
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{self, Output, Stdio},
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::oneshot,
};

use crate::{Connection, Delivery, PREVIOUS_SECRET, Response, SECRET, Step};

/// A program of this workspace, in a process that is killed on drop.
#[derive(Debug)]
pub struct Program {
    child: Child,
    address: SocketAddr,
    said: Said,
    directory: Directory,
    arguments: Vec<String>,
}

/// Standard output and standard error of a program.
type Said = Arc<Mutex<String>>;

impl Program {
    /// Starts a program with these environment variables, and waits until it listens.
    pub async fn start(name: &str, settings: &[(&str, impl AsRef<OsStr>)]) -> Self {
        Self::start_with(name, &[], settings).await
    }

    /// Starts a program with arguments, and waits until it listens.
    pub async fn start_with(
        name: &str,
        arguments: &[&str],
        settings: &[(&str, impl AsRef<OsStr>)],
    ) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self::start_in(Directory::new(), name, arguments, settings).await
    }

    /// Kills the program, and starts it again in the same working directory with the same
    /// arguments.
    pub async fn restart(self, name: &str, settings: &[(&str, impl AsRef<OsStr>)]) -> Self {
        let Self {
            mut child,
            directory,
            arguments,
            ..
        } = self;
        child.kill().await.expect("killed");
        Self::start_in(directory, name, arguments, settings).await
    }

    async fn start_in(
        directory: Directory,
        name: &str,
        arguments: Vec<String>,
        settings: &[(&str, impl AsRef<OsStr>)],
    ) -> Self {
        let mut child = command(&directory, name, settings)
            .args(&arguments)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let said = Said::default();
        let (listens, address) = oneshot::channel();
        let output = child.stdout.take().expect("a pipe");
        tokio::spawn(listen(output, Arc::clone(&said), Some(listens)));
        let errors = child.stderr.take().expect("a pipe");
        tokio::spawn(listen(errors, Arc::clone(&said), None));
        let Ok(address) = address.await else {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            panic!("{name} exited before it listened: {said}");
        };
        Self {
            child,
            address,
            said,
            directory,
            arguments,
        }
    }

    /// Runs a program until it exits.
    pub async fn run(
        name: &str,
        arguments: &[&str],
        settings: &[(&str, impl AsRef<OsStr>)],
    ) -> Output {
        let directory = Directory::new();
        let ended = command(&directory, name, settings)
            .args(arguments)
            .output()
            .await;
        ended.unwrap_or_else(|error| panic!("{name} does not run: {error}"))
    }

    /// Returns the address that the program listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// Returns the lines that the program has written to standard output and standard error so far.
    #[must_use]
    pub fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    /// Sends a GET request for a path.
    pub async fn get(&self, path: &str) -> Response {
        let mut connection = Connection::open(self.address).await.expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let sent = connection.send(&[Step::Send(request.into())]).await;
        sent.expect("sent");
        connection.response().await.expect("a response")
    }

    /// Sends a delivery, and returns the status of the response.
    pub async fn deliver(&self, delivery: &Delivery) -> u16 {
        let mut connection = Connection::open(self.address).await.expect("a connection");
        let request = Step::Send(delivery.request());
        connection.send(&[request]).await.expect("sent");
        connection.response().await.expect("a response").status
    }

    /// Kills the program with SIGKILL, and returns its process id.
    pub async fn kill(mut self) -> u32 {
        let pid = self.pid();
        self.child.kill().await.expect("killed");
        pid
    }

    /// Sends SIGTERM, and returns the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.end_by("-TERM").await
    }

    /// Sends SIGINT, and returns the exit code.
    pub async fn interrupt(&mut self) -> Option<i32> {
        self.end_by("-INT").await
    }

    async fn end_by(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal).await;
        self.child.wait().await.expect("ended").code()
    }

    /// Stops the process with SIGSTOP.
    pub async fn pause(&self) {
        self.signal("-STOP").await;
    }

    /// Resumes the process with SIGCONT.
    pub async fn resume(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "kill {pid}");
    }
}

/// A working directory, which is removed on drop.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("scrupp-program-{}-{number}", process::id()));
        fs::create_dir(&directory).expect("a directory");
        Self(directory)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn command(directory: &Directory, name: &str, settings: &[(&str, impl AsRef<OsStr>)]) -> Command {
    let mut command = Command::new(path(name));
    command
        .current_dir(&directory.0)
        .env("SCRUPP_WEBHOOK_SECRET", SECRET)
        .env("SCRUPP_WEBHOOK_SECRET_PREVIOUS", PREVIOUS_SECRET)
        .env("BIND", "127.0.0.1:0")
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Reads lines to the end, so that the program never blocks on a full pipe.
async fn listen(
    output: impl AsyncRead + Unpin,
    said: Said,
    mut listens: Option<oneshot::Sender<SocketAddr>>,
) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = line.strip_prefix("listening on http://")
            && let Some(listens) = listens.take()
        {
            let _ = listens.send(address.parse().expect("an address"));
        }
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push_str(&line);
        said.push('\n');
    }
}

/// Returns the path of a program. The program is in the directory of the running program or, for a
/// test, in its parent directory.
///
/// # Panics
///
/// Panics if the programs do not build.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    // An absolute path is a program of the package under test, which cargo has built.
    if Path::new(name).is_absolute() {
        return name.into();
    }
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        // Builds all programs once, so none is older than its sources. The tests have the same
        // features, so cargo reuses their dependencies.
        let built = process::Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--bins", "--all-features"])
            // The workspace is the parent of this package.
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the programs do not build"
        );
    });
    let this = env::current_exe().expect("a path");
    let directory = this
        .parent()
        .expect("target/PROFILE or target/PROFILE/deps");
    match directory.file_name() {
        Some(deps) if deps == "deps" => directory.with_file_name(name),
        _ => directory.join(name),
    }
}

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

/// A program of this workspace, as a process that ends with its test.
#[derive(Debug)]
pub struct Program {
    child: Child,
    address: SocketAddr,
    said: Said,
    directory: Directory,
    arguments: Vec<String>,
}

/// What a program has written.
type Said = Arc<Mutex<String>>;

impl Program {
    /// Starts it with these settings in its environment, and waits until it says where it listens.
    pub async fn start(name: &str, settings: &[(&str, impl AsRef<OsStr>)]) -> Self {
        Self::start_with(name, &[], settings).await
    }

    /// Starts it with these arguments too.
    pub async fn start_with(
        name: &str,
        arguments: &[&str],
        settings: &[(&str, impl AsRef<OsStr>)],
    ) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self::start_in(Directory::new(), name, arguments, settings).await
    }

    /// Kills it, and starts it in the same working directory again, with the same arguments.
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
            panic!("{name} ended before it listened: {said}");
        };
        Self {
            child,
            address,
            said,
            directory,
            arguments,
        }
    }

    /// Runs it until it ends by itself.
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

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().expect("a process that was not waited for")
    }

    /// What it has written so far, lines of both outputs in the order in which they came.
    #[must_use]
    pub fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    /// Asks it for a path.
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

    /// Kills it, as nothing can prevent, and tells its process id.
    pub async fn kill(mut self) -> u32 {
        let pid = self.pid();
        self.child.kill().await.expect("killed");
        pid
    }

    /// Asks it to end by SIGTERM, and tells its exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.end_by("-TERM").await
    }

    /// Interrupts it by SIGINT, and returns its exit code.
    pub async fn interrupt(&mut self) -> Option<i32> {
        self.end_by("-INT").await
    }

    async fn end_by(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal).await;
        self.child.wait().await.expect("ended").code()
    }

    /// Stops it in its tracks, as if its machine had no time for it.
    pub async fn pause(&self) {
        self.signal("-STOP").await;
    }

    /// Lets it go on.
    pub async fn resume(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "kill {pid}");
    }
}

/// A working directory of a program's own, which is removed with it.
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

/// Reads on, so that the program can write on.
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

/// Where cargo has put a program: beside the one that runs, or above where that is a test.
///
/// # Panics
///
/// If the programs do not build.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    // Of the package under test: cargo has built it, and says where.
    if Path::new(name).is_absolute() {
        return name.into();
    }
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        // With all features, as the tests are built: then cargo has next to nothing to do, and
        // a program of an earlier state of the sources is never taken for today's.
        let built = process::Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--bins", "--all-features"])
            // All of the workspace, which is above this package.
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

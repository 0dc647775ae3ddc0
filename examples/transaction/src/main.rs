//! Acknowledges each delivery in the same database transaction as its effect, and prints the outcome of
//! each attempt.
//!
//! Run with `cargo run -p example-transaction`. The database is a temporary SQLite file, or PostgreSQL if
//! `DATABASE_URL=postgres://..` is set. In PostgreSQL, the program creates the tables `scrupp_deliveries`,
//! `scrupp_deliveries_format` and `tasks`, and does not drop them.

mod errors;
mod postgres;
mod receiver;
mod sqlite;
mod trouble;

use core::{error::Error, net::SocketAddr, sync::atomic::Ordering::Relaxed, time::Duration};
use std::{env, fs, io, process, process::ExitCode};

use errors::exit_code;
use receiver::Tasks;
use scrupp_verify_tower::{Secret, Signer, UnixTime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

const SECRET: &str = "topsecret";
const LEASE: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run_all().await {
        Ok(0) => {
            println!("\nall as expected");
            ExitCode::SUCCESS
        }
        Ok(unexpected) => {
            println!("\n{unexpected} not as expected");
            ExitCode::FAILURE
        }
        Err(error) => exit_code(Err(error)),
    }
}

/// Makes all attempts with the database at `DATABASE_URL`, by default a temporary SQLite file. Returns the
/// number of unexpected outcomes.
async fn run_all() -> Result<usize, Box<dyn Error>> {
    let directory = env::temp_dir().join(format!("scrupp-transaction-{}", process::id()));
    let url = env::var_os("DATABASE_URL").unwrap_or_default();
    let url = url.into_string().map_err(|_| "DATABASE_URL: not UTF-8")?;
    match &*url {
        url if url.starts_with("postgres:") || url.starts_with("postgresql:") => run(url).await,
        "" => {
            fs::create_dir(&directory)?;
            let unexpected = run(&directory.join("tasks.db").to_string_lossy()).await;
            fs::remove_dir_all(&directory)?;
            unexpected
        }
        _ => Err("DATABASE_URL: expected a URL that begins with postgres:".into()),
    }
}

/// Makes all attempts, and returns the number of unexpected outcomes.
async fn run(database: &str) -> Result<usize, Box<dyn Error>> {
    println!(
        "  {:<52} {:>8} {:>6}  {:<12} tasks",
        "delivery", "expected", "status", "handler"
    );
    // Each run uses different ids, because PostgreSQL keeps the deliveries of earlier runs.
    let now = UnixTime::now().map_or(0, UnixTime::as_secs).cast_signed();
    let [plain, fails, slow] =
        [1, trouble::FAILS, trouble::EXCEEDS_LEASE].map(|digit| now * 10 + digit);
    let tasks = Tasks::open(database).await?;
    let (address, server) = receiver::start(&tasks).await?;
    let mut unexpected = 0;
    let name = "genuine";
    unexpected += row(name, (200, true, 1), &tasks, plain, post(address, plain)).await?;
    server.abort();
    drop(tasks);
    let tasks = Tasks::open(database).await?;
    let (address, _) = receiver::start(&tasks).await?;
    let name = "retry after a restart";
    unexpected += row(name, (200, false, 1), &tasks, plain, post(address, plain)).await?;

    let name = "transaction rolled back";
    unexpected += row(name, (503, true, 0), &tasks, fails, post(address, fails)).await?;
    let name = "and its retry";
    unexpected += row(name, (200, true, 1), &tasks, fails, post(address, fails)).await?;

    let first = tokio::spawn(post(address, slow));
    trouble::WAITING.notified().await;
    sleep(LEASE + LEASE / 2).await;
    let name = "retry while the first attempt exceeds its lease";
    unexpected += row(name, (200, true, 1), &tasks, slow, post(address, slow)).await?;
    let first = async {
        trouble::CONTINUE.notify_one();
        first.await?
    };
    let name = "first attempt, tries to commit after its lease";
    unexpected += row(name, (503, true, 1), &tasks, slow, first).await?;
    let name = "and another retry";
    unexpected += row(name, (200, false, 1), &tasks, slow, post(address, slow)).await?;
    Ok(unexpected)
}

/// Makes an attempt at a delivery, and prints its outcome: the status, whether the handler ran, and the
/// number of tasks afterwards. Returns 1 if the outcome is unexpected, otherwise 0.
async fn row(
    name: &str,
    expected: (u16, bool, i64),
    tasks: &Tasks,
    process_id: i64,
    attempt: impl Future<Output = io::Result<u16>>,
) -> Result<usize, Box<dyn Error>> {
    let runs = trouble::RUNS.load(Relaxed);
    let status = attempt.await?;
    let ran = trouble::RUNS.load(Relaxed) > runs;
    let tasks = tasks.count(process_id).await?;
    let is_expected = (status, ran, tasks) == expected;
    println!(
        "{} {name:<52} {:>8} {status:>6}  {:<12} {tasks:>5}",
        if is_expected { "✓" } else { "✗" },
        expected.0,
        if ran { "ran" } else { "did not run" },
    );
    Ok(usize::from(!is_expected))
}

/// Sends a delivery on a new connection, and returns the status of the response.
async fn post(receiver: SocketAddr, process_id: i64) -> io::Result<u16> {
    let body =
        format!(r#"{{"event":"task.completed","process_id":{process_id},"status":"completed"}}"#);
    let secret = Secret::new(SECRET).map_err(io::Error::other)?;
    let now = UnixTime::now().unwrap_or(UnixTime::from_secs(0));
    let signed = Signer::new(&secret).sign(now, body.as_bytes());
    let [signature, timestamp] = signed
        .pairs()
        .map(|(name, value)| format!("{name}: {value}"));
    let length = body.len();
    let request = format!(
        "POST /webhooks/scrupp HTTP/1.1\r\nHost: {receiver}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{signature}\r\n{timestamp}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(receiver).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    let status = response.split(' ').nth(1).unwrap_or_default();
    status.parse().map_err(io::Error::other)
}

//! The inbox example: no acknowledged delivery is lost, and each result is stored once.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod bodies;
mod crash;
mod deliveries;
mod files;
mod network;
mod postgres;
mod rows;
mod side_by_side;
mod subcommand;

use core::{net::SocketAddr, time::Duration};
use std::{
    env,
    ffi::OsStr,
    fs,
    path::PathBuf,
    process::{self, Command, Output},
    time::Instant,
};

use scrupp_verify_tests::{Connection, Program, Retries, Scrupp, Step, TaskApi, signed};
use serde_json::Value;
use tokio::time::{sleep, timeout};

/// A directory for the database of a test. Removed on drop.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let directory = env::temp_dir().join(format!("scrupp-inbox-{}-{test}", process::id()));
        fs::create_dir(&directory).unwrap();
        Self(directory)
    }

    /// Returns the path of the database, with a suffix.
    fn path(&self, suffix: &str) -> PathBuf {
        self.0.join(format!("inbox.db{suffix}"))
    }

    fn database_url(&self) -> String {
        format!("sqlite:{}", self.path("").display())
    }

    /// Runs SQL in the database, and returns the output of `sqlite3`.
    fn sql(&self, sql: &str) -> String {
        let mut command = Command::new("sqlite3");
        let output = command.arg(self.path("")).arg(".timeout 5000").arg(sql);
        let output = output
            .output()
            .expect("sqlite3 is missing (Debian: apt-get install sqlite3)");
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Limits a fetch to two seconds, and a lease to four.
const SHORT_TIMEOUT: [(&str, &str); 1] = [("FETCH_TIMEOUT_SECONDS", "2")];

/// Starts the inbox with pauses from 50 ms, and a fetch timeout that is long enough for slow
/// machines. A later setting overrides an earlier one.
async fn start(database_url: &str, api: &TaskApi, more: &[(&str, &str)]) -> Program {
    let origin = api.origin();
    let environment = [
        ("DATABASE_URL", database_url),
        ("SCRUPP_API_ORIGIN", &origin),
        ("FETCH_TIMEOUT_SECONDS", "20"),
        ("FETCH_PAUSE_SECONDS", "0.05"),
    ];
    Program::start("example-inbox", &[&environment, more].concat()).await
}

/// Runs the inbox until it exits, for at most 30 seconds.
async fn run(arguments: &[&str], environment: &[(&str, impl AsRef<OsStr>)]) -> Output {
    let ended = Program::run("example-inbox", arguments, environment);
    let ended = timeout(Duration::from_secs(30), ended).await;
    ended.expect("the inbox does not exit")
}

fn completed(process_id: u64) -> String {
    format!(r#"{{"event":"task.completed","process_id":{process_id},"status":"completed"}}"#)
}

fn completed_with_url(process_id: u64, url: &str) -> String {
    let event = completed(process_id);
    format!(r#"{},"result_url":"{url}"}}"#, event.trim_end_matches('}'))
}

async fn deliver(address: SocketAddr, event: &str) {
    let attempts = Scrupp::new(Retries::NewHeaders)
        .deliver(&[address], event)
        .await;
    assert_eq!(attempts, [Some(200)], "{event}");
}

/// Sends a signed delivery with any body, and returns the status.
async fn send(address: SocketAddr, body: &[u8]) -> u16 {
    let mut delivery = signed(0);
    delivery.body = body.to_vec();
    delivery.sign();
    let mut connection = Connection::open(address).await.unwrap();
    let request = Step::Send(delivery.request());
    connection.send(&[request]).await.unwrap();
    connection.response().await.unwrap().status
}

/// Returns the rows of `GET /deliveries`.
async fn rows(inbox: &Program) -> Vec<Value> {
    let response = inbox.get("/deliveries").await;
    assert_eq!(response.status, 200);
    serde_json::from_slice(&response.body).unwrap()
}

/// Waits until the only row of a task is in this state, and returns it.
async fn row(inbox: &Program, process_id: u64, state: &str) -> Value {
    let begin = Instant::now();
    loop {
        let mut rows = rows(inbox).await;
        rows.retain(|row| row["process_id"] == process_id);
        assert_eq!(rows.len(), 1, "{rows:?}");
        if rows[0]["state"] == state {
            return rows[0].clone();
        }
        let rest = Duration::from_secs(15).checked_sub(begin.elapsed());
        rest.unwrap_or_else(|| panic!("not {state}: {rows:?}\n{}", inbox.said()));
        sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the status and the body of the stored result of a task.
async fn result(inbox: &Program, process_id: u64) -> (u16, String) {
    let response = inbox.get(&format!("/results/{process_id}")).await;
    (response.status, String::from_utf8(response.body).unwrap())
}

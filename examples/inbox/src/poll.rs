use core::time::Duration;
use std::io::{self, Write};

use scrupp_verify_tower::events::Status;
use tokio::time::sleep;

use crate::{fetch_error::FetchError, retries::Retries, task_api::TaskApi};

/// Polls a task until it has ended, and returns its result. Prints each pause to standard error, if it is
/// writable.
pub(crate) async fn poll(
    api: &TaskApi,
    retries: Retries,
    process_id: u64,
) -> Result<String, String> {
    let wait = async |why: &str, pause: Duration| {
        let secs = pause.as_secs_f64();
        // Not `eprintln!`, which panics if the write fails, and the result would be lost.
        let _ = writeln!(
            io::stderr(),
            "task {process_id}: {why}, next request in {secs} s"
        );
        sleep(pause).await;
    };
    loop {
        let (status, error) = repeat(retries, wait, async || api.status(process_id).await).await?;
        match status {
            Status::Completed => break,
            Status::Failed => return Err(error.unwrap_or_else(|| "failed".to_owned())),
            Status::Queued | Status::Running => wait(status.as_str(), retries.first_pause).await,
            _ => return Err(format!("unknown status {:?}", status.as_str())),
        }
    }
    let url = api.origin().result_url(process_id);
    repeat(retries, wait, async || api.result(&url).await).await
}

/// Repeats a request until it succeeds, or [`Retries`] allows no further attempt.
async fn repeat<T>(
    retries: Retries,
    wait: impl AsyncFn(&str, Duration),
    request: impl AsyncFn() -> Result<T, FetchError>,
) -> Result<T, String> {
    let mut attempt = 1;
    loop {
        let error = match request().await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        match retries.pause_after(attempt, &error) {
            Some(pause) => wait(&error.to_string(), pause).await,
            None => return Err(error.to_string()),
        }
        attempt += 1;
    }
}

//! The conformance tables, over real sockets, against every front end.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use scrupp_verify_tests::{FrontEnd, check, check_http2, http1_rows, http2_rows, left_out};
use tokio::task::JoinSet;

async fn passes_the_tables(front_end: FrontEnd) {
    let server = Arc::new(front_end.start().await);
    let mut rows = JoinSet::new();
    for row in http1_rows() {
        if let Some(reason) = left_out(&row, front_end) {
            println!("{front_end:?} leaves out: {} ({reason})", row.id);
            continue;
        }
        let server = Arc::clone(&server);
        rows.spawn(async move {
            let verdict = check(&row, &server).await;
            verdict.map_err(|error| format!("HTTP/1.1, {}: {error}", row.id))
        });
    }
    for row in http2_rows() {
        let server = Arc::clone(&server);
        rows.spawn(async move {
            let verdict = check_http2(&row, &server).await;
            verdict.map_err(|error| format!("HTTP/2, {}: {error}", row.name))
        });
    }
    let verdicts = rows.join_all().await;
    assert!(verdicts.len() > 60, "there is a table");
    let failures: Vec<_> = verdicts.into_iter().filter_map(Result::err).collect();
    assert!(
        failures.is_empty(),
        "{front_end:?}:\n  {}",
        failures.join("\n  ")
    );
}

/// In one test, because most of its time is spent waiting for what is slow on purpose.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_front_end_passes_the_tables() {
    let front_ends = FrontEnd::IN_PROCESS.into_iter().chain(FrontEnd::EXAMPLES);
    let mut running: JoinSet<_> = front_ends.map(passes_the_tables).collect();
    while let Some(passed) = running.join_next().await {
        passed.unwrap();
    }
}

//! The conformance table, over real sockets, against every front end.

use std::sync::Arc;

use scrupp_verify_tests::{FrontEnd, check, http1_rows};
use tokio::task::JoinSet;

async fn passes_the_table(front_end: FrontEnd) {
    let server = Arc::new(front_end.start().await);
    let mut rows = JoinSet::new();
    for row in http1_rows() {
        if let Some(reason) = row.left_out_of(front_end) {
            println!("{front_end:?} leaves out: {} ({reason})", row.name);
            continue;
        }
        let server = Arc::clone(&server);
        rows.spawn(async move {
            let verdict = check(&row, &server).await;
            verdict.map_err(|error| format!("{}: {error}", row.name))
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axum_passes_the_table() {
    passes_the_table(FrontEnd::Axum).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actix_passes_the_table() {
    passes_the_table(FrontEnd::Actix).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warp_passes_the_table() {
    passes_the_table(FrontEnd::Warp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hyper_passes_the_table() {
    passes_the_table(FrontEnd::Hyper).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_passes_the_table() {
    passes_the_table(FrontEnd::Custom).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_passes_the_table() {
    for example in FrontEnd::EXAMPLES {
        passes_the_table(example).await;
    }
}

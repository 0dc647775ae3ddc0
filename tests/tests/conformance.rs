//! The conformance tables against every front end, over real sockets.

use std::sync::Arc;

use scrupp_verify_tests::{FrontEnd, Redis, check, check_http2, http1_rows, http2_rows, left_out};
use tokio::task::JoinSet;

async fn passes_the_tables(front_end: FrontEnd) {
    let is_lambda = matches!(front_end, FrontEnd::Lambda { .. });
    let redis = is_lambda.then(|| Redis::start(&[]));
    let settings: Vec<_> = redis
        .iter()
        .map(|redis| ("REDIS_URL", redis.url()))
        .collect();
    let server = Arc::new(front_end.start_with(&settings).await);
    let mut rows = JoinSet::new();
    for row in http1_rows() {
        if let Some(reason) = left_out(&row, front_end) {
            println!("{front_end:?} skips {} ({reason})", row.id);
            continue;
        }
        let server = Arc::clone(&server);
        rows.spawn(async move {
            let verdict = check(&row, &server).await;
            verdict.map_err(|error| format!("HTTP/1.1, {}: {error}", row.id))
        });
    }
    // No HTTP/2 for Rocket, because Rocket cannot limit the requests of an HTTP/2 connection. A
    // gateway sends the same events for HTTP/2 requests.
    let has_http2 = front_end != FrontEnd::ROCKET && !is_lambda;
    for row in http2_rows().into_iter().filter(|_| has_http2) {
        let server = Arc::clone(&server);
        rows.spawn(async move {
            let verdict = check_http2(&row, &server).await;
            verdict.map_err(|error| format!("HTTP/2, {}: {error}", row.name))
        });
    }
    let verdicts = rows.join_all().await;
    assert!(verdicts.len() > 50, "the tables are incomplete");
    let failures: Vec<_> = verdicts.into_iter().filter_map(Result::err).collect();
    assert!(
        failures.is_empty(),
        "{front_end:?}:\n  {}",
        failures.join("\n  ")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn example_lambda_passes_the_table_behind_each_service() {
    let services = [
        ("rest", false),
        ("http", true),
        ("function-url", false),
        ("alb", true),
        ("alb-multi-value", false),
    ];
    for (event, base64) in services {
        passes_the_tables(FrontEnd::Lambda { event, base64 }).await;
    }
}

macro_rules! conformance {
    ($($test:ident: $front_end:expr,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            passes_the_tables($front_end).await;
        }
    )*};
}

conformance! {
    axum_passes_the_tables: FrontEnd::Axum,
    actix_passes_the_tables: FrontEnd::Actix,
    warp_passes_the_tables: FrontEnd::Warp,
    hyper_passes_the_tables: FrontEnd::Hyper,
    custom_passes_the_tables: FrontEnd::Custom,
    example_axum_passes_the_tables: FrontEnd::Example("example-axum"),
    example_actix_passes_the_tables: FrontEnd::Example("example-actix"),
    example_warp_passes_the_tables: FrontEnd::Example("example-warp"),
    example_hyper_passes_the_tables: FrontEnd::Example("example-hyper"),
    example_custom_passes_the_tables: FrontEnd::Example("example-custom"),
    example_rocket_passes_the_tables: FrontEnd::ROCKET,
    example_poem_passes_the_tables: FrontEnd::Example("example-poem"),
    example_salvo_passes_the_tables: FrontEnd::Example("example-salvo"),
}

//! `scrupp-verify doctor` finds no fault in the examples.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;

use scrupp_verify_tests::{FrontEnd, Program, Redis};
use serde_json::Value;
use tokio::task::JoinSet;

async fn passes_doctor(example: &'static str) {
    let settings = [("STORE_URL", "memory:")];
    let program = Program::start(example, &settings).await;
    passes_doctor_at(program.address(), example).await;
}

async fn passes_doctor_at(address: SocketAddr, example: &str) {
    let url = format!("http://{address}/webhooks/scrupp");
    let effects = format!("http://{address}/deliveries");
    let arguments = ["doctor", &url, "--strict", "--format", "json", "--genuine"];
    let more = ["--large", "--raw", "--effects-url", &effects];
    // Rocket waits for the first bytes of a body, which this request never sends.
    let skip = match example {
        "example-rocket" => &["--skip", "length/exabytes"][..],
        _ => &[],
    };
    let none: [(&str, &str); 0] = [];
    let arguments = [&arguments[..], &more, skip].concat();
    let ran = Program::run("scrupp-verify", &arguments, &none).await;
    let stdout = String::from_utf8(ran.stdout).unwrap();
    let checks = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (passed, others): (Vec<_>, Vec<_>) =
        checks.partition(|check| check["result"] == "pass" || check["result"] == "info");
    assert!(others.is_empty(), "{example}: {others:#?}");
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{stderr}");
    assert!(passed.len() > 105, "{}", passed.len());
}

/// One test, because most of its time is spent waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_passes_doctor() {
    let examples = [
        "example-axum",
        "example-actix",
        "example-warp",
        "example-hyper",
        "example-custom",
        "example-rocket",
        "example-poem",
        "example-salvo",
    ];
    let mut running: JoinSet<_> = examples.into_iter().map(passes_doctor).collect();
    while let Some(passed) = running.join_next().await {
        passed.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lambda_example_passes_doctor_behind_a_gateway() {
    let redis = Redis::start(&[]);
    let function = FrontEnd::Lambda {
        event: "http",
        base64: false,
    };
    let server = function.start_with(&[("REDIS_URL", redis.url())]).await;
    passes_doctor_at(server.address(), "example-lambda").await;
}

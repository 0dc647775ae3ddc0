//! The retries of the stand-in for Scrupp.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use core::time::Duration;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, http::HeaderMap, routing::post};
use scrupp_verify_tests::{Attempt, Retries, SECRET, Scrupp, is_acknowledged};
use scrupp_verify_tower::{ScruppVerify, Secret};
use tokio::{net::TcpListener, time::sleep};

/// Starts a receiver that responds with these statuses in turn. Returns the timestamps of the
/// verified deliveries.
async fn receiver(script: &'static [u16]) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let seen = Arc::clone(&seen);
        async move |headers: HeaderMap| {
            let attempt = {
                let mut seen = seen.lock().unwrap();
                seen.push(headers["X-Scrupp-Timestamp"].to_str().unwrap().to_owned());
                seen.len() - 1
            };
            match script[attempt] {
                0 => sleep(Duration::from_secs(60)).await,
                1 => panic!("the handler panics"),
                _ => {}
            }
            axum::http::StatusCode::from_u16(script[attempt]).unwrap()
        }
    };
    let verify = ScruppVerify::new(Secret::new(SECRET).unwrap());
    let app = Router::new().route("/webhooks/scrupp", post(handler).layer(verify));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    (address, seen)
}

const EVENT: &str = r#"{"event":"task.completed","process_id":1,"status":"completed"}"#;

#[tokio::test]
async fn retries_until_the_response_is_2xx() {
    let (address, seen) = receiver(&[500, 0, 1, 302, 404, 204]).await;
    let scrupp = Scrupp::new(Retries::SameHeaders).timeout(Duration::from_millis(300));
    let attempts: Vec<Attempt> = scrupp.deliver(&[address], EVENT).await;
    let expected = [Some(500), None, None, Some(302), Some(404), Some(204)];
    assert_eq!(attempts, expected);
    assert!(is_acknowledged(&attempts));
    let seen = seen.lock().unwrap();
    assert!(seen.windows(2).all(|two| two[0] == two[1]), "{seen:?}");
}

#[tokio::test]
async fn signs_each_attempt_if_configured() {
    let (address, seen) = receiver(&[500, 500, 500, 500, 500, 500, 200]).await;
    let attempts = Scrupp::new(Retries::NewHeaders)
        .deliver(&[address], EVENT)
        .await;
    assert!(is_acknowledged(&attempts));
    let seen = seen.lock().unwrap();
    assert_ne!(
        seen.first(),
        seen.last(),
        "the retry has the timestamp of the first attempt"
    );
}

#[tokio::test]
async fn gives_up_after_the_last_attempt() {
    let scrupp = Scrupp::new(Retries::SameHeaders).max_attempts(3);
    let closed: SocketAddr = "127.0.0.1:1".parse().unwrap();
    assert_eq!(scrupp.deliver(&[closed], EVENT).await, [None, None, None]);
}

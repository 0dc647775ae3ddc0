//! Claims of deliveries whose handler succeeds, fails, panics or is dropped.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{future::pending, pin::pin};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use example_rocket::{Delivery, ScruppVerify};
use rocket::{
    State,
    error::ErrorKind,
    http::{Header, Status},
    local::asynchronous::{Client, LocalRequest},
    post, routes,
};
use scrupp_verify_core::{Keyring, Secret, Signer, UnixTime, dedup::MemoryStore};
use tokio::sync::Notify;

const BODY: &str = r#"{"event":"task.completed","process_id":1,"status":"completed"}"#;

#[derive(Default)]
struct Runs {
    number: AtomicUsize,
    begun: Notify,
}

#[post("/<outcome>", data = "<_delivery>")]
async fn handler(outcome: &str, _delivery: Delivery, runs: &State<Runs>) -> Status {
    runs.number.fetch_add(1, Relaxed);
    runs.begun.notify_one();
    match outcome {
        "succeeds" => Status::NoContent,
        "fails" => Status::ServiceUnavailable,
        "panics" => panic!("the handler panics"),
        _ => pending().await,
    }
}

async fn client() -> Client {
    let keyring = Keyring::from(Secret::new("topsecret").unwrap());
    let rocket = rocket::build().attach(ScruppVerify::new(keyring, MemoryStore::default()));
    let rocket = rocket.manage(Runs::default()).mount("/", routes![handler]);
    Client::untracked(rocket).await.unwrap()
}

/// Creates a request with the same delivery each time.
fn delivery<'c>(client: &'c Client, outcome: &'static str) -> LocalRequest<'c> {
    let signer = Signer::new(&Secret::new("topsecret").unwrap());
    let signed = signer.sign(UnixTime::now().unwrap(), BODY.as_bytes());
    let (time, signature) = (signed.timestamp().to_owned(), signed.signature().to_owned());
    let request = client.post(format!("/{outcome}")).body(BODY);
    let request = request.header(Header::new("X-Scrupp-Timestamp", time));
    request.header(Header::new("X-Scrupp-Signature", signature))
}

#[tokio::test]
async fn handler_runs_until_it_succeeds() {
    for (outcome, statuses, runs) in [
        ("succeeds", [204, 200], 1),
        ("fails", [503, 503], 2),
        ("panics", [500, 500], 2),
    ] {
        let client = client().await;
        for status in statuses {
            let response = delivery(&client, outcome).dispatch().await;
            assert_eq!(response.status().code, status, "{outcome}");
        }
        let handler = client.rocket().state::<Runs>().unwrap();
        assert_eq!(handler.number.load(Relaxed), runs, "{outcome}");
    }
}

#[tokio::test]
async fn dropped_request_releases_its_claim() {
    let client = client().await;
    {
        let mut first = pin!(delivery(&client, "waits").dispatch());
        tokio::select! {
            _ = &mut first => panic!("the handler responded"),
            () = client.rocket().state::<Runs>().unwrap().begun.notified() => {}
        }
        let second = delivery(&client, "succeeds").dispatch().await;
        assert_eq!(second.status(), Status::ServiceUnavailable);
        assert!(second.headers().contains("Retry-After"));
    }
    let third = delivery(&client, "succeeds").dispatch().await;
    assert_eq!(third.status(), Status::NoContent);
}

#[tokio::test]
async fn guard_without_fairing_aborts_the_launch() {
    let rocket = rocket::build().manage(Runs::default());
    let error = Client::untracked(rocket.mount("/", routes![handler]))
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::SentinelAborts(_)),
        "{error}"
    );
}

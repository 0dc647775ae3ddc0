//! The extractors for axum, with the layer around them and without.
#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::future::ready;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Request, Response, StatusCode},
    routing::post,
};
use http_body_util::BodyExt;
use scrupp_verify_tower::{
    Account, ScruppEvent, ScruppVerify, Secret, Signer, UnixTime, Verified, events::Event,
};
use tower::ServiceExt;

const NOW: u64 = 1_735_471_800;
const PATH: &str = "/webhooks/scrupp";
const EVENT: &[u8] = br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

fn layer() -> ScruppVerify {
    ScruppVerify::new(secret()).clock(|| Some(UnixTime::from_secs(NOW)))
}

fn signed(content: &'static [u8]) -> Request<Body> {
    let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), content);
    let mut request = Request::post(PATH);
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    request.body(Body::from(content)).unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn takes_proof(_: Verified) {}

async fn takes_event(_: ScruppEvent) {}

#[tokio::test]
async fn fails_where_the_layer_is_not_around_the_handler() {
    for route in [post(takes_proof), post(takes_event)] {
        let beside = Router::new().route("/beside", post(takes_event));
        let app = Router::new()
            .route(PATH, route)
            .merge(beside.layer(layer()));
        let response = app.oneshot(signed(EVENT)).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = &response.headers()["content-type"];
        assert_eq!(content_type, "application/problem+json");
        let expected = r#"{"title":"Internal Server Error","status":500}"#;
        assert_eq!(text(response).await, expected);
    }
}

#[tokio::test]
async fn does_not_take_the_proof_of_the_core_for_its_own() {
    // Anyone can make one, with a secret of their own; the one of this crate comes from the layer.
    let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), EVENT);
    let verifier = scrupp_verify_core::Verifier::new(secret());
    let proof = verifier.verify(&headers, EVENT, UnixTime::from_secs(NOW));
    let mut request = signed(EVENT);
    request.extensions_mut().insert(proof.unwrap());
    let app = Router::new().route(PATH, post(takes_proof));
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn answers_a_verified_body_that_is_no_event_without_quoting_it() {
    for content in [
        &b""[..],
        b"no json",
        b"{}",
        b"[]",
        br#"{"event":7}"#,
        b"\xff\xfe",
    ] {
        let app = Router::new().route(PATH, post(takes_event)).layer(layer());
        let response = app.oneshot(signed(content)).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let content_type = &response.headers()["content-type"];
        assert_eq!(content_type, "application/problem+json");
        let expected = r#"{"title":"Unprocessable Content","status":422}"#;
        assert_eq!(text(response).await, expected);
    }
}

#[tokio::test]
async fn takes_an_event_that_it_does_not_know_as_a_value() {
    let handler = async |ScruppEvent(event): ScruppEvent| match event {
        Event::Other(other) => other.name,
        known => panic!("{known:?} is not known"),
    };
    let app = Router::new().route(PATH, post(handler)).layer(layer());
    let request = signed(br#"{"event":"task.paused","since":1}"#);
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, "task.paused");
}

#[tokio::test]
async fn gives_the_proof_the_event_and_the_state_to_one_handler() {
    async fn handler(
        verified: Verified,
        State(expected_age): State<i64>,
        ScruppEvent(event): ScruppEvent,
    ) -> String {
        assert_eq!(verified.time(), UnixTime::from_secs(NOW));
        assert_eq!(verified.age_secs(), expected_age);
        assert_eq!(verified.account(), None);
        assert!(matches!(event, Event::TaskCompleted(_)));
        format!("{} {:?}", verified.secret_index(), event.process_id())
    }
    let rotation = ScruppVerify::new([Secret::new("newer").unwrap(), secret()])
        .clock(|| Some(UnixTime::from_secs(NOW + 12)));
    let app = Router::new().route(PATH, post(handler)).layer(rotation);
    let response = app.with_state(12).oneshot(signed(EVENT)).await.unwrap();
    assert_eq!(text(response).await, "1 Some(6666)");
}

#[tokio::test]
async fn names_the_account_whose_secret_was_looked_up() {
    let lookup =
        ScruppVerify::with_secrets(|_| ready(Ok::<_, &str>(Some(Account::new("17", secret())))))
            .clock(|| Some(UnixTime::from_secs(NOW)));
    let handler = async |verified: Verified, body: Bytes| {
        assert_eq!(verified.account(), Some(Account::new("17", secret()).id()));
        body
    };
    let app = Router::new().route(PATH, post(handler)).layer(lookup);
    let response = app.oneshot(signed(EVENT)).await.unwrap();
    assert_eq!(text(response).await.as_bytes(), EVENT);
}

#[tokio::test]
async fn leaves_the_body_limit_of_axum_in_force() {
    use axum::extract::DefaultBodyLimit;

    for (limit, expected) in [
        (EVENT.len() - 1, StatusCode::PAYLOAD_TOO_LARGE),
        (EVENT.len(), StatusCode::OK),
    ] {
        let app = Router::new()
            .route(PATH, post(takes_event))
            .layer(DefaultBodyLimit::max(limit))
            .layer(layer());
        let response = app.oneshot(signed(EVENT)).await.unwrap();
        assert_eq!(response.status(), expected);
    }
}

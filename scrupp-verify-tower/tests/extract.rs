//! The extractors for axum, with and without the layer.
#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::State,
    http::{Request, Response, StatusCode},
    routing::post,
};
use http_body_util::BodyExt;
use scrupp_verify_tower::{
    Rejection, RejectionKind, ScruppClaim, ScruppEvent, ScruppVerify, Secret, Signer, UnixTime,
    Verified,
    dedup::{Claimed, MemoryStore},
    events::Event,
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

async fn assert_problem(response: Response<Body>, kind: RejectionKind) {
    let rejection = Rejection::new(kind);
    assert_eq!(response.status(), rejection.status());
    assert_eq!(response.extensions().get(), Some(&rejection));
    let content_type = &response.headers()["content-type"];
    assert_eq!(content_type, "application/problem+json");
    assert_eq!(text(response).await, rejection.problem());
}

async fn take_event(_: ScruppEvent) {}

#[tokio::test]
async fn event_fails_without_the_layer() {
    let beside = Router::new().route("/beside", post(take_event));
    let app = Router::new()
        .route(PATH, post(take_event))
        .merge(beside.layer(layer()));
    let response = app.oneshot(signed(EVENT)).await.unwrap();
    assert_problem(response, RejectionKind::NotVerified).await;
}

#[tokio::test]
async fn verified_extension_fails_without_the_layer() {
    let app = Router::new().route(PATH, post(async |_: Extension<Verified>| {}));
    let response = app.oneshot(signed(EVENT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn claim_fails_without_a_layer_that_has_a_store() {
    let handler = post(async |_: ScruppClaim| {});
    for handler in [handler.clone(), handler.layer(layer())] {
        let app = Router::new().route(PATH, handler);
        let response = app.oneshot(signed(EVENT)).await.unwrap();
        assert_problem(response, RejectionKind::NotClaimed).await;
    }
}

#[tokio::test]
async fn extracts_the_claim() {
    let handler = async |ScruppClaim(claimed): ScruppClaim, extension: Extension<Claimed>| {
        assert_eq!(claimed, extension.0);
    };
    let layer = layer().dedup(MemoryStore::default());
    let app = Router::new().route(PATH, post(handler)).layer(layer);
    let response = app.oneshot(signed(EVENT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn rejects_verified_body_that_is_not_an_event_without_echoing_it() {
    for content in [
        &b""[..],
        b"no json",
        b"{}",
        b"[]",
        br#"{"event":7}"#,
        b"\xff\xfe",
    ] {
        let app = Router::new().route(PATH, post(take_event)).layer(layer());
        let response = app.oneshot(signed(content)).await.unwrap();
        assert_problem(response, RejectionKind::NotAnEvent).await;
    }
}

#[tokio::test]
async fn extracts_unknown_event_as_a_value() {
    let handler = async |ScruppEvent(event): ScruppEvent| match event {
        Event::Other(other) => other.name,
        known => panic!("{known:?} is known"),
    };
    let app = Router::new().route(PATH, post(handler)).layer(layer());
    let request = signed(br#"{"event":"task.paused","since":1}"#);
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, "task.paused");
}

#[tokio::test]
async fn extracts_proof_event_and_state_for_one_handler() {
    async fn handler(
        Extension(verified): Extension<Verified>,
        State(expected): State<u64>,
        ScruppEvent(event): ScruppEvent,
    ) {
        assert_eq!(verified.time(), UnixTime::from_secs(NOW));
        assert!(matches!(event, Event::TaskCompleted(_)));
        assert_eq!(event.process_id(), Some(expected));
    }
    let app = Router::new().route(PATH, post(handler)).layer(layer());
    let response = app.with_state(6666).oneshot(signed(EVENT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn body_limit_of_axum_does_not_apply_to_the_event() {
    // The default limit of axum's own extractors.
    let content = [EVENT, &vec![b' '; 2 * 1024 * 1024]].concat().leak();
    let layer = layer().body_limit(content.len());
    let router = Router::new()
        .route(PATH, post(take_event))
        .route("/bytes", post(async |_: Bytes| {}))
        .layer(layer);
    let response = router.clone().oneshot(signed(content)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut request = signed(content);
    *request.uri_mut() = "/bytes".parse().unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn event_leaves_the_body_to_other_extractors() {
    let handler = async |ScruppEvent(event): ScruppEvent, body: Bytes| {
        assert_eq!(event.process_id(), Some(6666));
        assert_eq!(body, EVENT);
    };
    let app = Router::new().route(PATH, post(handler)).layer(layer());
    let response = app.oneshot(signed(EVENT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

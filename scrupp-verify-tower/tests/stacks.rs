//! The layer on routers, routes and services, alone and in stacks.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode},
    response::Response,
    routing::{any, post},
};
use http_body_util::{BodyExt, Full};
use scrupp_verify_tower::{
    ScruppVerify, Secret, Signer, UnixTime, VerifiedBody, dedup::MemoryStore,
};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

const EVENT: &[u8] = br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

/// Creates a request with this body, signed for that content.
fn signed<B>(body: B, content: &[u8]) -> Request<B> {
    let now = UnixTime::now().unwrap();
    let headers = Signer::new(&secret()).sign(now, content);
    let mut request = Request::post("/webhooks/scrupp");
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    request.body(body).unwrap()
}

async fn handler(body: Bytes) -> Bytes {
    body
}

#[tokio::test]
async fn verifies_on_routers_routes_and_services_of_axum() {
    let path = "/webhooks/scrupp";
    let around_router = Router::new()
        .route(path, post(handler))
        .layer(ScruppVerify::new(secret()));
    let around_routes = Router::new()
        .route(path, post(handler))
        .route_layer(ScruppVerify::new(secret()));
    let around_method = Router::new().route(path, post(handler).layer(ScruppVerify::new(secret())));
    let in_stack = Router::new().route(path, any(handler)).layer(
        ServiceBuilder::new()
            .map_request(|request: Request<Body>| request)
            .layer(ScruppVerify::new(secret())),
    );
    let in_stack_alone = Router::new()
        .route(path, any(handler))
        .layer(ServiceBuilder::new().layer(ScruppVerify::new(secret())));
    let nested = Router::new().nest(
        "/webhooks",
        Router::new()
            .route("/scrupp", post(handler))
            .layer(ScruppVerify::new(secret())),
    );
    let around_service = Router::new().route_service(
        path,
        ServiceBuilder::new()
            .layer(ScruppVerify::new(secret()))
            .service(post(handler)),
    );
    for (label, app) in [
        ("router", around_router),
        ("routes", around_routes),
        ("method", around_method),
        ("stack", in_stack),
        ("stack alone", in_stack_alone),
        ("nested", nested),
        ("service", around_service),
    ] {
        let genuine = signed(Body::from(EVENT), EVENT);
        let response: Response = app.clone().oneshot(genuine).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{label}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, EVENT, "{label}");

        let forged = signed(Body::from("forged"), EVENT);
        let response = app.oneshot(forged).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{label}");
    }
}

#[tokio::test]
async fn two_layers_with_one_store_claim_once() {
    let runs = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&runs);
    let handler = move || async move {
        // The first call fails, so the claim must also be released.
        match counted.fetch_add(1, Ordering::Relaxed) {
            0 => StatusCode::BAD_GATEWAY,
            _ => StatusCode::OK,
        }
    };
    let verify = ScruppVerify::new(secret()).dedup(MemoryStore::default());
    let app = Router::new()
        .route("/webhooks/scrupp", post(handler).layer(verify.clone()))
        .layer(verify);
    for (status, expected_runs) in [(502, 1), (200, 2), (200, 2)] {
        let genuine = signed(Body::from(EVENT), EVENT);
        let response = app.clone().oneshot(genuine).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(runs.load(Ordering::Relaxed), expected_runs);
    }
}

#[derive(Debug, PartialEq)]
struct Own;

/// Responds with the body of the request. Fails if the body is empty.
async fn echo(request: Request<VerifiedBody>) -> Result<http::Response<Full<Bytes>>, Own> {
    match request.into_body().into_bytes() {
        empty if empty.is_empty() => Err(Own),
        body => Ok(http::Response::new(Full::new(body))),
    }
}

#[tokio::test]
async fn can_be_boxed_and_returns_the_error_of_the_service() {
    let request = |body, content| signed(Full::<Bytes>::from(body), content);
    let service = ScruppVerify::new(secret()).layer(service_fn(echo));
    let boxed = service.clone().boxed();
    let response = boxed.oneshot(request(EVENT, EVENT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);

    let boxed = service.boxed_clone();
    let forged = request(b"forged", EVENT);
    let response = boxed.clone().oneshot(forged).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let result = boxed.oneshot(request(b"", b"")).await;
    assert_eq!(result.map(drop), Err(Own));
}

//! The section "Placement" of the documentation: routes, methods, and the order among other middleware.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{future::pending, time::Duration};
use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
    routing::{MethodRouter, get, post},
};
use scrupp_verify_tower::{Observation, ScruppVerify, Secret, Signer, UnixTime};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer, timeout::TimeoutLayer};

const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);
const PATH: &str = "/webhooks/scrupp";

fn verify() -> ScruppVerify {
    ScruppVerify::new(Secret::new("topsecret").unwrap()).clock(|| Some(NOW))
}

fn genuine() -> Request<Body> {
    let headers = Signer::new(&Secret::new("topsecret").unwrap()).sign(NOW, b"{}");
    let mut request = Request::post(PATH);
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    request.body(Body::from("{}")).unwrap()
}

/// Returns the status of the response to an unsigned request.
async fn unsigned(app: &Router, method: Method, path: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn layers_of_a_route_and_of_a_router_verify_different_requests() {
    let handler = async || {};
    let with_health = |app: Router| app.route("/healthz", get(handler));
    let router = || with_health(Router::new().route(PATH, post(handler)));
    let layer = Router::new().route(PATH, post(handler).layer(verify()));
    let route_layer = Router::new().route(PATH, post(handler).route_layer(verify()));
    for (label, app, method, health, unknown) in [
        ("MethodRouter::layer", with_health(layer), 401, 200, 404),
        (
            "MethodRouter::route_layer",
            with_health(route_layer),
            405,
            200,
            404,
        ),
        (
            "Router::route_layer",
            router().route_layer(verify()),
            401,
            401,
            404,
        ),
        ("Router::layer", router().layer(verify()), 401, 401, 401),
    ] {
        let response = app.clone().oneshot(genuine()).await.unwrap();
        assert_eq!(response.status(), 200, "{label}");
        assert_eq!(unsigned(&app, Method::POST, PATH).await, 401, "{label}");
        for other in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert_eq!(unsigned(&app, other, PATH).await, method, "{label}");
        }
        let status = unsigned(&app, Method::GET, "/healthz").await;
        assert_eq!(status, health, "{label}");
        let status = unsigned(&app, Method::GET, "/unknown").await;
        assert_eq!(status, unknown, "{label}");
    }
}

#[tokio::test]
async fn routes_and_methods_added_after_the_layer_are_not_verified() {
    let handler = async || {};
    let app = Router::new()
        .route(PATH, post(handler))
        .layer(verify())
        .route("/healthz", get(handler));
    assert_eq!(unsigned(&app, Method::GET, "/healthz").await, 200);
    let method = Router::new().route(PATH, post(handler).layer(verify()).get(handler));
    assert_eq!(unsigned(&method, Method::GET, PATH).await, 200);
    assert_eq!(unsigned(&method, Method::POST, PATH).await, 401);
}

/// Returns the status of the response to a genuine delivery, and what was observed of the handler.
async fn observed(
    stack: impl FnOnce(ScruppVerify) -> MethodRouter,
) -> (StatusCode, Vec<Option<u16>>) {
    let observed = Arc::<Mutex<Vec<_>>>::default();
    let observes = Arc::clone(&observed);
    let verify = verify().observe(move |observation: &Observation<'_>| {
        let status = match *observation {
            Observation::Handled { status, .. } => status,
            Observation::HandlerDropped { .. } => None,
            _ => return,
        };
        observes.lock().unwrap().push(status);
    });
    let app = Router::new().route(PATH, stack(verify));
    let response = app.oneshot(genuine()).await.unwrap();
    let observed = observed.lock().unwrap().clone();
    (response.status(), observed)
}

#[tokio::test]
async fn panic_is_observed_as_a_panic_only_inside_catch_panic() {
    let panics = || post(async || panic!("the handler panics") as StatusCode);
    let catch = CatchPanicLayer::new;
    let outside = |verify| panics().layer(ServiceBuilder::new().layer(catch()).layer(verify));
    let failed = StatusCode::INTERNAL_SERVER_ERROR;
    assert_eq!(observed(outside).await, (failed, vec![None]));
    let inside = |verify| panics().layer(ServiceBuilder::new().layer(verify).layer(catch()));
    assert_eq!(observed(inside).await, (failed, vec![Some(500)]));
}

#[tokio::test(start_paused = true)]
async fn timeout_inside_has_a_status_and_outside_drops_the_handler() {
    let hangs = || post(async || pending::<StatusCode>().await);
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let timeout = || TimeoutLayer::with_status_code(status, Duration::from_secs(5));
    let inside = |verify| hangs().layer(ServiceBuilder::new().layer(verify).layer(timeout()));
    assert_eq!(observed(inside).await, (status, vec![Some(503)]));
    let outside = |verify| hangs().layer(ServiceBuilder::new().layer(timeout()).layer(verify));
    assert_eq!(observed(outside).await, (status, vec![None]));
}

#[tokio::test]
async fn cors_outside_responds_to_options_itself() {
    let outside = Router::new()
        .route(PATH, post(async || {}).layer(verify()))
        .layer(CorsLayer::permissive());
    let inside = Router::new()
        .route(PATH, post(async || {}))
        .layer(CorsLayer::permissive())
        .layer(verify());
    for (app, expected) in [(outside, 200), (inside, 401)] {
        assert_eq!(unsigned(&app, Method::OPTIONS, PATH).await, expected);
    }
}

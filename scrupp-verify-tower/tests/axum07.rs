//! The layer in axum 0.7.

use axum07::{
    Extension, Router,
    body::{Body, Bytes},
    http::{Request, StatusCode},
    routing::post,
};
use http_body_util::BodyExt;
use scrupp_verify_tower::{ScruppVerify, Secret, Signer, UnixTime, Verified};
use tower::ServiceExt;

const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);

#[tokio::test]
async fn handler_of_axum_0_7_runs_only_for_verified_deliveries() {
    let secret = Secret::new("topsecret").unwrap();
    let headers = Signer::new(&secret).sign(NOW, b"{}");
    let echo = async |Extension(verified): Extension<Verified>, body: Bytes| {
        assert_eq!(verified.time(), NOW);
        body
    };
    let verify = ScruppVerify::new(secret).clock(|| Some(NOW));
    let on_route = Router::new().route("/", post(echo).layer(verify.clone()));
    let on_router = Router::new().route("/", post(echo)).layer(verify);
    for app in [on_route, on_router] {
        for (body, status) in [("{}", StatusCode::OK), ("{ }", StatusCode::UNAUTHORIZED)] {
            let mut request = Request::post("/");
            for (name, value) in headers.pairs() {
                request = request.header(name, value);
            }
            let request = request.body(Body::from(body)).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status);
            let responded = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(responded == body, status == StatusCode::OK);
        }
    }
}

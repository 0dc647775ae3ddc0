//! The extractors, with and without the middleware.

use actix_web::{
    App, FromRequest, HttpResponse,
    body::MessageBody,
    dev::ServiceResponse,
    http::StatusCode,
    test::{self, TestRequest},
    web::{self, ReqData},
};
use scrupp_verify_actix::{
    Rejection, RejectionKind, ScruppClaim, ScruppEvent, UnixTime, Verified,
    dedup::{Claimed, MemoryStore},
    events::Event,
};

use crate::support::{EVENT, NOW, PATH, genuine, kind, verify};

async fn take_proof(_: ReqData<Verified>) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn take_event(_: ScruppEvent) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn take_claim(_: ScruppClaim) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn assert_problem(response: ServiceResponse<impl MessageBody>, expected: RejectionKind) {
    let rejection = Rejection::new(expected);
    assert_eq!(response.status(), rejection.status());
    assert_eq!(kind(&response), Some(expected));
    let content_type = response.headers().get("content-type").unwrap();
    assert_eq!(content_type, "application/problem+json");
    assert_eq!(test::read_body(response).await, rejection.problem());
}

#[actix_web::test]
async fn extractors_fail_without_the_middleware() {
    let app = App::new()
        .route("/proof", web::post().to(take_proof))
        .route("/event", web::post().to(take_event))
        .service(web::resource(PATH).wrap(verify()).to(take_event));
    let app = test::init_service(app).await;
    let request = genuine(EVENT).uri("/event").to_request();
    let response = test::call_service(&app, request).await;
    assert_problem(response, RejectionKind::NotVerified).await;
    let request = genuine(EVENT).uri("/proof").to_request();
    let response = test::call_service(&app, request).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[actix_web::test]
async fn claim_fails_without_a_middleware_that_has_a_store() {
    let app = App::new()
        .route("/claim", web::post().to(take_claim))
        .service(web::resource(PATH).wrap(verify()).to(take_claim));
    let app = test::init_service(app).await;
    for path in ["/claim", PATH] {
        let request = genuine(EVENT).uri(path).to_request();
        let response = test::call_service(&app, request).await;
        assert_problem(response, RejectionKind::NotClaimed).await;
    }
}

#[actix_web::test]
async fn extracts_the_claim() {
    async fn handler(ScruppClaim(claimed): ScruppClaim, data: ReqData<Claimed>) -> HttpResponse {
        assert_eq!(claimed, *data);
        HttpResponse::Ok().finish()
    }
    let app = App::new()
        .route(PATH, web::post().to(handler))
        .wrap(verify().dedup(MemoryStore::default()));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, genuine(EVENT).to_request()).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[actix_web::test]
async fn rejects_verified_body_that_is_not_an_event_without_echoing_it() {
    let app = App::new()
        .route(PATH, web::post().to(take_event))
        .wrap(verify());
    let app = test::init_service(app).await;
    for content in [
        &b""[..],
        b"no json",
        b"{}",
        b"[]",
        br#"{"event":7}"#,
        b"\xff\xfe",
    ] {
        let response = test::call_service(&app, genuine(content).to_request()).await;
        assert_problem(response, RejectionKind::NotAnEvent).await;
    }
}

#[actix_web::test]
async fn extracts_proof_and_event_for_one_handler() {
    async fn handler(verified: ReqData<Verified>, ScruppEvent(event): ScruppEvent) -> String {
        assert_eq!(verified.time(), UnixTime::from_secs(NOW));
        assert!(matches!(event, Event::TaskCompleted(_)));
        format!("{} {:?}", event.name(), event.process_id())
    }
    let app = App::new()
        .route(PATH, web::post().to(handler))
        .wrap(verify());
    let app = test::init_service(app).await;
    let body = test::call_and_read_body(&app, genuine(EVENT).to_request()).await;
    assert_eq!(body, "task.completed Some(6666)");
}

#[actix_web::test]
async fn extracts_unknown_event_as_a_value() {
    let handler = async |ScruppEvent(event): ScruppEvent| match event {
        Event::Other(other) => other.name,
        known => panic!("{known:?} is known"),
    };
    let app = App::new()
        .route(PATH, web::post().to(handler))
        .wrap(verify());
    let app = test::init_service(app).await;
    let request = genuine(br#"{"event":"task.paused","since":1}"#).to_request();
    let response = test::call_service(&app, request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(test::read_body(response).await, "task.paused");
}

#[actix_web::test]
async fn extractor_error_displays_the_reason() {
    let request = TestRequest::default().to_http_request();
    let error = ScruppEvent::extract(&request).await.unwrap_err();
    assert_eq!(error.to_string(), "the request has not been verified");
}

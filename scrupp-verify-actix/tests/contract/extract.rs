//! The extractors, with the middleware around them and without.

use actix_web::{
    App, HttpResponse, ResponseError,
    http::StatusCode,
    test::{self, TestRequest},
    web,
};
use scrupp_verify_actix::{ExtractError, ScruppEvent, UnixTime, Verified, events::Event};

use crate::support::{EVENT, NOW, PATH, genuine, verify};

async fn takes_proof(_: Verified) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn takes_event(_: ScruppEvent) -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[actix_web::test]
async fn fails_where_the_middleware_is_not_around_the_handler() {
    let app = App::new()
        .route("/proof", web::post().to(takes_proof))
        .route("/event", web::post().to(takes_event))
        .service(web::resource(PATH).wrap(verify()).to(takes_event));
    let app = test::init_service(app).await;
    for path in ["/proof", "/event"] {
        let response = test::call_service(&app, genuine(EVENT).uri(path).to_request()).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            response.headers().get("content-type").unwrap(),
            "application/problem+json"
        );
        let body = test::read_body(response).await;
        assert_eq!(body, r#"{"title":"Internal Server Error","status":500}"#);
    }
}

#[actix_web::test]
async fn answers_a_verified_body_that_is_no_event_without_quoting_it() {
    let app = App::new()
        .route(PATH, web::post().to(takes_event))
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
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            response.headers().get("content-type").unwrap(),
            "application/problem+json"
        );
        let body = test::read_body(response).await;
        assert_eq!(body, r#"{"title":"Unprocessable Content","status":422}"#);
    }
}

#[actix_web::test]
async fn gives_the_event_and_the_proof_to_one_handler() {
    async fn handler(verified: Verified, ScruppEvent(event): ScruppEvent) -> String {
        assert_eq!(verified.time(), UnixTime::from_secs(NOW));
        assert_eq!(verified.secret_index(), 0);
        assert_eq!(verified.account(), None);
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
async fn takes_an_event_that_it_does_not_know_as_a_value() {
    let handler = async |ScruppEvent(event): ScruppEvent| match event {
        Event::Other(other) => other.name,
        known => panic!("{known:?} is not known"),
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
async fn says_why_without_saying_what() {
    let request = TestRequest::default().to_http_request();
    let error = <Verified as actix_web::FromRequest>::extract(&request).await;
    let error: ExtractError = error.unwrap_err();
    assert_eq!(error.to_string(), "the request has not been verified");
    assert_eq!(error.status_code(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(error.error_response().status(), error.status_code());
}

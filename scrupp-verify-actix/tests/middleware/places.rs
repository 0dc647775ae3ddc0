//! The placement of the middleware, alone and among other middleware.

use core::cell::RefCell;
use std::rc::Rc;

use actix_web::{
    App, HttpMessage, HttpRequest, HttpResponse,
    dev::Service,
    http::{Method, StatusCode, Uri, header},
    middleware::{NormalizePath, TrailingSlash},
    test::{self, TestRequest},
    web,
};
use scrupp_verify_actix::{RejectionKind, Verified};

use crate::support::{EVENT, PATH, genuine, kind, signed, verify};

async fn ok() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[actix_web::test]
async fn verifies_on_an_app_a_scope_and_a_resource() {
    macro_rules! assert_verifies {
        ($app:expr) => {
            let app = test::init_service($app).await;
            let response = test::call_service(&app, genuine(EVENT).to_request()).await;
            assert_eq!(response.status(), StatusCode::OK);
            let forged = signed(EVENT).set_payload("forged").to_request();
            let response = test::call_service(&app, forged).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        };
    }
    assert_verifies!(App::new().route(PATH, web::post().to(ok)).wrap(verify()));
    assert_verifies!(
        App::new().service(
            web::scope("/webhooks")
                .wrap(verify())
                .route("/scrupp", web::post().to(ok))
        )
    );
    assert_verifies!(
        App::new().service(web::resource(PATH).wrap(verify()).route(web::post().to(ok)))
    );
}

#[actix_web::test]
async fn verifies_every_method_of_its_resource_and_no_other_path() {
    let guarded = web::resource(PATH).wrap(verify()).route(web::post().to(ok));
    let app = App::new().service(guarded).route("/", web::get().to(ok));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, TestRequest::get().to_request()).await;
    assert_eq!(response.status(), StatusCode::OK);
    for method in [Method::POST, Method::GET, Method::HEAD, Method::OPTIONS] {
        let unsigned = TestRequest::with_uri(PATH).method(method);
        let response = test::call_service(&app, unsigned.to_request()).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
}

#[test]
fn can_be_cloned_into_workers() {
    fn assert_clone_send_sync<T: Clone + Send + Sync + 'static>(_: &T) {}
    assert_clone_send_sync(&verify());
}

#[actix_web::test]
async fn rejection_is_a_response_that_outer_middleware_sees() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let sees = Rc::clone(&seen);
    let app = App::new()
        .route(PATH, web::post().to(ok))
        .wrap(verify())
        .wrap_fn(move |request, inner| {
            let response = inner.call(request);
            let sees = Rc::clone(&sees);
            async move {
                let mut response = response.await.expect("a rejection is not an error");
                sees.borrow_mut().push((response.status(), kind(&response)));
                let value = header::HeaderValue::from_static("1");
                let name = header::HeaderName::from_static("x-outer");
                response.headers_mut().insert(name, value);
                Ok(response)
            }
        });
    let app = test::init_service(app).await;
    let unsigned = TestRequest::post().uri(PATH).to_request();
    for request in [unsigned, genuine(EVENT).to_request()] {
        let response = test::call_service(&app, request).await;
        assert_eq!(response.headers().get("x-outer").unwrap(), "1");
    }
    assert_eq!(
        *seen.borrow(),
        [
            (
                StatusCode::UNAUTHORIZED,
                Some(RejectionKind::MissingSignature)
            ),
            (StatusCode::OK, None),
        ]
    );
}

#[actix_web::test]
async fn holds_no_clone_of_the_request_while_the_handler_runs() {
    async fn handler(request: HttpRequest) -> HttpResponse {
        request.extensions_mut().insert("from the handler");
        assert_eq!(request.app_data(), Some(&"of the resource"));
        assert_eq!(request.match_info().get("account"), Some("17"));
        assert!(request.extensions().contains::<Verified>());
        HttpResponse::Ok().finish()
    }
    // While a clone of the request exists, routing, app data and changes to the head panic.
    let request_uri = || "/webhooks//17/".parse::<Uri>().unwrap();
    let resource = web::resource("/{account}")
        .app_data("of the resource")
        .to(handler);
    let app = App::new()
        .app_data("of the app")
        .service(
            web::scope("/webhooks")
                .app_data("of the scope")
                .service(resource),
        )
        .wrap(NormalizePath::new(TrailingSlash::Trim))
        .wrap_fn(move |mut request, inner| {
            request.head_mut().uri = request_uri();
            request.match_info_mut().get_mut().update(&request_uri());
            request.extensions_mut().insert(1_u8);
            inner.call(request)
        })
        .wrap(verify());
    let app = test::init_service(app).await;
    for _ in 0..2 {
        let response = test::call_service(&app, genuine(EVENT).to_request()).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
}

#[actix_web::test]
async fn proof_does_not_reach_the_next_request() {
    async fn proof(request: HttpRequest) -> String {
        request.extensions().contains::<Verified>().to_string()
    }
    let app = App::new()
        .service(web::resource(PATH).wrap(verify()).to(proof))
        .route("/open", web::post().to(proof));
    let app = test::init_service(app).await;
    let body = test::call_and_read_body(&app, genuine(EVENT).to_request()).await;
    assert_eq!(body, "true");
    // actix-web reuses the request.
    let body = test::call_and_read_body(&app, genuine(EVENT).uri("/open").to_request()).await;
    assert_eq!(body, "false");
}

#[actix_web::test]
async fn rejects_before_routing() {
    let app = test::init_service(App::new().wrap(verify())).await;
    let request = TestRequest::post().uri("/nowhere");
    let response = test::call_service(&app, request.to_request()).await;
    assert_eq!(kind(&response), Some(RejectionKind::MissingSignature));
    let response = test::call_service(&app, genuine(EVENT).to_request()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

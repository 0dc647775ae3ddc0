//! The size of a rejection's body. A server does not poll a body of size 0.

use actix_web::{
    Error, HttpResponse,
    body::{BodySize, MessageBody, to_bytes},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, fn_service},
    test::TestRequest,
};
use scrupp_verify_actix::{Rejection, RejectionKind, ScruppVerify};

use crate::support::{EVENT, verify};

async fn reject(
    verify: &ScruppVerify,
    request: ServiceRequest,
) -> ServiceResponse<impl MessageBody + use<>> {
    let never = fn_service(|_: ServiceRequest| async {
        panic!("the handler was called") as Result<ServiceResponse, Error>
    });
    let service = verify.new_transform(never).await.unwrap();
    service.call(request).await.unwrap()
}

fn unsigned() -> ServiceRequest {
    TestRequest::post().set_payload(EVENT).to_srv_request()
}

fn without_body() -> ServiceRequest {
    let mut request = unsigned();
    request.set_payload(Payload::None);
    request
}

#[actix_web::test]
async fn problem_has_its_exact_size() {
    let problem = Rejection::new(RejectionKind::MissingSignature).problem();
    for request in [unsigned(), without_body()] {
        let response = reject(&verify(), request).await;
        let size = BodySize::Sized(problem.len() as u64);
        assert_eq!(response.response().body().size(), size);
    }
}

#[actix_web::test]
async fn empty_response_has_exact_size_unless_the_request_is_drained() {
    let verify = verify().on_rejection(|_| HttpResponse::Unauthorized().finish());
    let response = reject(&verify, unsigned()).await;
    assert!(!response.response().body().size().is_eof());
    let body = to_bytes(response.into_body()).await;
    assert_eq!(body.ok().unwrap(), "");

    let response = reject(&verify, without_body()).await;
    assert!(response.response().body().size().is_eof());
}

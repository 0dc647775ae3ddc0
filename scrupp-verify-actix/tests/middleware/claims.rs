//! Claims after an actix-web error, and with two middlewares that share a store.

use core::future::ready;
use std::{cell::Cell, rc::Rc};

use actix_web::{
    Error, HttpResponse,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, fn_service},
    error::{ErrorBadGateway, InternalError},
    http::StatusCode,
};
use scrupp_verify_actix::dedup::MemoryStore;

use crate::support::{EVENT, genuine, verify};

#[actix_web::test]
async fn error_with_a_success_status_commits_and_others_release() {
    let calls = Rc::new(Cell::new(0));
    let counts = Rc::clone(&calls);
    let inner = fn_service(move |_: ServiceRequest| {
        counts.set(counts.get() + 1);
        ready(Err::<ServiceResponse, Error>(match counts.get() {
            1 => ErrorBadGateway("the handler fails"),
            2 => InternalError::from_response("failed early", HttpResponse::Conflict().finish())
                .into(),
            _ => InternalError::new("succeeded early", StatusCode::ACCEPTED).into(),
        }))
    });
    let verify = verify().dedup(MemoryStore::default());
    let service = verify.new_transform(inner).await.unwrap();
    for (expected, expected_calls) in [(502, 1), (409, 2), (202, 3), (200, 3), (200, 3)] {
        let status = match service.call(genuine(EVENT).to_srv_request()).await {
            Ok(response) => response.status(),
            Err(error) => error.error_response().status(),
        };
        assert_eq!((status.as_u16(), calls.get()), (expected, expected_calls));
    }
}

#[actix_web::test]
async fn two_middlewares_with_one_store_claim_once() {
    let calls = Rc::new(Cell::new(0));
    let counts = Rc::clone(&calls);
    let inner = fn_service(move |request: ServiceRequest| {
        counts.set(counts.get() + 1);
        // The first call fails, so the claim must also be released.
        let mut response = match counts.get() {
            1 => HttpResponse::BadGateway(),
            _ => HttpResponse::Ok(),
        };
        ready(Ok::<_, Error>(request.into_response(response.finish())))
    });
    let verify = verify().dedup(MemoryStore::default());
    let inner = verify.new_transform(inner).await.unwrap();
    let service = verify.new_transform(inner).await.unwrap();
    for (expected, expected_calls) in [(502, 1), (200, 2), (200, 2)] {
        let response = service.call(genuine(EVENT).to_srv_request()).await;
        assert_eq!(response.unwrap().status().as_u16(), expected);
        assert_eq!(calls.get(), expected_calls);
    }
}

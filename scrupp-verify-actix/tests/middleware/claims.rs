//! The status of an actix-web error decides like the status of a response.

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

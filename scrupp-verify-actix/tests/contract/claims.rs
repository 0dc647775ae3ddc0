//! Each delivery is handled once, and until it has succeeded.

use core::{
    future::{pending, ready},
    time::Duration,
};
use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix_web::{
    Error, HttpResponse,
    body::{self, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, fn_service},
    error::{ErrorBadGateway, ErrorInternalServerError},
    http::StatusCode,
    rt,
};
use scrupp_verify_actix::{
    Dedup, RejectionKind, ScruppVerify,
    dedup::{Claim, DeliveryId, DeliveryStore, MemoryStore, Owner},
};
use tokio::time::timeout;

use crate::support::{EVENT, Seen, genuine, keeps, kind, refusal, signed, verify};

fn once() -> ScruppVerify {
    verify().dedup(MemoryStore::default())
}

fn delivery() -> ServiceRequest {
    genuine(EVENT).to_srv_request()
}

#[actix_web::test]
async fn handles_a_delivery_once_and_until_it_has_succeeded() {
    let calls = Rc::new(Cell::new(0));
    let counts = Rc::clone(&calls);
    let inner = fn_service(move |request: ServiceRequest| {
        let turn = counts.replace(counts.get() + 1);
        ready(match turn {
            0 => Err(ErrorInternalServerError("fails")),
            1 => Err(ErrorBadGateway("fails in another way")),
            2 => Ok(request.into_response(HttpResponse::BadRequest())),
            3 => Ok(request.into_response(HttpResponse::Found())),
            _ => Ok(request.into_response(HttpResponse::Accepted().body("handled"))),
        })
    });
    let service = once().new_transform(inner).await.unwrap();
    for (expected, calls_after) in [(500, 1), (502, 2), (400, 3), (302, 4), (202, 5)] {
        let status = match service.call(delivery()).await {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        assert_eq!(status, expected);
        assert_eq!(calls.get(), calls_after);
    }
    for _ in 0..3 {
        let response = service.call(delivery()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body = body::to_bytes(response.into_body()).await.unwrap();
        assert_eq!(body, "");
        assert_eq!(calls.get(), 5);
    }
}

#[actix_web::test]
async fn lets_a_retry_through_after_a_hang_up_and_a_panic() {
    let turn = Rc::new(Cell::new(0));
    let counts = Rc::clone(&turn);
    let inner = fn_service(move |request: ServiceRequest| {
        let turn = counts.replace(counts.get() + 1);
        async move {
            match turn {
                0 => pending().await,
                1 => panic!("the handler panics"),
                _ => Ok::<ServiceResponse, Error>(request.into_response(HttpResponse::Ok())),
            }
        }
    });
    let service = once().new_transform(inner).await.unwrap();

    let hung_up = service.call(delivery());
    assert!(timeout(Duration::from_millis(20), hung_up).await.is_err());
    let panicked = rt::spawn(service.call(delivery())).await;
    assert!(panicked.unwrap_err().is_panic());
    let response = service.call(delivery()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(turn.get(), 3);
}

#[actix_web::test]
async fn tells_a_second_attempt_to_come_again_while_the_first_is_handled() {
    let inner = fn_service(|_: ServiceRequest| pending::<Result<ServiceResponse, Error>>());
    let service = once().new_transform(inner).await.unwrap();
    let first = rt::spawn(service.call(delivery()));
    tokio::task::yield_now().await;
    let second = service.call(delivery()).await.unwrap();
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(kind(&second), RejectionKind::InFlight);
    assert_eq!(second.headers().get("retry-after").unwrap(), "5");
    first.abort();
}

#[actix_web::test]
async fn shares_the_claims_among_its_clones() {
    let verify = once();
    let seen = Seen::default();
    for (clone, calls_after) in [(verify.clone(), 1), (verify, 1)] {
        let service = clone.new_transform(keeps(&seen)).await.unwrap();
        let response = service.call(delivery()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(seen.borrow().len(), calls_after);
    }
}

/// A store that is out of order, and counts what it is asked for.
#[derive(Clone, Default)]
struct OutOfOrder {
    claims: Arc<AtomicUsize>,
    releases: Arc<AtomicUsize>,
    answers_never: bool,
}

impl DeliveryStore for OutOfOrder {
    type Error = &'static str;

    async fn claim(&self, _: DeliveryId, _: Owner, _: Duration) -> Result<Claim, Self::Error> {
        self.claims.fetch_add(1, Ordering::Relaxed);
        if self.answers_never {
            pending().await
        }
        Err("no connection")
    }

    async fn commit(&self, _: DeliveryId, _: Owner, _: Duration) -> Result<bool, Self::Error> {
        Err("no connection")
    }

    async fn release(&self, _: DeliveryId, _: Owner) -> Result<(), Self::Error> {
        self.releases.fetch_add(1, Ordering::Relaxed);
        Err("no connection")
    }
}

#[actix_web::test]
async fn never_lets_a_delivery_through_when_the_store_fails_or_does_not_answer() {
    for answers_never in [false, true] {
        let store = OutOfOrder {
            answers_never,
            ..OutOfOrder::default()
        };
        let dedup = Dedup::new(store.clone()).store_timeout(Duration::from_millis(20));
        let response = refusal(&verify().dedup(dedup), delivery()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().get("retry-after").unwrap(), "5");
        assert_eq!(kind(&response), RejectionKind::StoreUnavailable);
        assert!(!response.response().body().size().is_eof());
        assert_eq!(store.claims.load(Ordering::Relaxed), 1);
        // It may have been granted all the same.
        tokio::task::yield_now().await;
        assert_eq!(store.releases.load(Ordering::Relaxed), 1);
    }
}

#[actix_web::test]
async fn never_asks_the_store_about_a_forgery() {
    let store = OutOfOrder::default();
    let verify = verify().dedup(store.clone());
    let forged = signed(EVENT).set_payload("forged").to_srv_request();
    let response = refusal(&verify, forged).await;
    assert_eq!(kind(&response), RejectionKind::SignatureMismatch);
    assert_eq!(store.claims.load(Ordering::Relaxed), 0);
}

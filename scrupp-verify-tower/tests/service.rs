//! The contract of `tower::Service`: readiness, errors and `Send` futures.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{
    convert::Infallible,
    future::{Ready, pending, ready},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{Empty, Full};
use scrupp_verify_tower::{
    ScruppVerify, Secret, Signer, UnixTime, VerifiedBody, dedup::MemoryStore,
};
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt, service_fn};

const NOW: u64 = 1_735_471_800;
const EVENT: &[u8] = br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

fn layer() -> ScruppVerify {
    ScruppVerify::new(secret()).clock(|| Some(UnixTime::from_secs(NOW)))
}

fn signed<B>(body: B) -> Request<B> {
    let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), EVENT);
    let mut request = Request::post("/webhooks/scrupp");
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    request.body(body).unwrap()
}

fn genuine() -> Request<Full<Bytes>> {
    signed(Full::new(Bytes::from_static(EVENT)))
}

/// A body whose bytes arrive, but whose end does not.
struct Unending(Option<Bytes>);

impl Body for Unending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

#[tokio::test]
async fn calls_the_service_that_was_polled_ready_and_not_its_clone() {
    /// A service that panics if it is called before it is ready.
    struct Strict {
        is_ready: bool,
    }
    impl Clone for Strict {
        fn clone(&self) -> Self {
            Self { is_ready: false }
        }
    }
    impl Service<Request<VerifiedBody>> for Strict {
        type Response = Response<Empty<Bytes>>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.is_ready = true;
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _request: Request<VerifiedBody>) -> Self::Future {
            assert!(self.is_ready, "called before it was ready");
            self.is_ready = false;
            ready(Ok(Response::new(Empty::new())))
        }
    }
    let mut service = layer().layer(Strict { is_ready: false });
    for _ in 0..3 {
        let ready = ServiceExt::<Request<Full<Bytes>>>::ready(&mut service);
        let response = ready.await.unwrap().call(genuine()).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn is_ready_when_the_inner_service_is_and_calls_it_after_verification() {
    let (mut service, mut handle) =
        tower_test::mock::spawn_layer::<Request<VerifiedBody>, Response<Empty<Bytes>>, _>(layer());
    handle.allow(0);
    assert!(service.poll_ready::<Request<Unending>>().is_pending());
    handle.allow(1);
    assert!(service.poll_ready::<Request<Unending>>().is_ready());

    let response = service.call(signed(Unending(Some(Bytes::from_static(EVENT)))));
    assert!(timeout(Duration::from_secs(1), response).await.is_err());
    assert!(handle.poll_request().is_pending());
}

#[tokio::test]
async fn returns_the_error_of_poll_ready() {
    #[derive(Clone)]
    struct Broken;
    impl Service<Request<VerifiedBody>> for Broken {
        type Response = Response<Empty<Bytes>>;
        type Error = &'static str;
        type Future = Ready<Result<Self::Response, &'static str>>;

        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            Poll::Ready(Err("not ready"))
        }

        fn call(&mut self, _request: Request<VerifiedBody>) -> Self::Future {
            panic!("called before it was ready")
        }
    }
    let result = layer().layer(Broken).oneshot(genuine()).await;
    assert_eq!(result.unwrap_err(), "not ready");
}

#[test]
fn future_is_send() {
    fn assert_send<T: Send>(_: &T) {}
    let never = service_fn(|_: Request<VerifiedBody>| {
        pending::<Result<Response<Empty<Bytes>>, Infallible>>()
    });
    let mut service = layer().dedup(MemoryStore::default()).layer(never);
    assert_send(&service);
    assert_send(&service.call(genuine()));
}

/// glibc allocates up to 1,032 bytes from a per-thread cache. A larger future adds 0.25 µs to each
/// request.
#[cfg(feature = "axum")]
#[test]
fn future_fits_into_the_fast_path_of_the_allocator() {
    let mut service = layer()
        .dedup(MemoryStore::default())
        .layer(axum::Router::<()>::new());
    let future = service.call(signed(axum::body::Body::from(EVENT)));
    assert!(size_of_val(&*future) <= 1032, "{}", size_of_val(&*future));
}

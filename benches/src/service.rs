//! Calls of a tower service without a server.

use core::{
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use tokio::runtime::{Builder, Runtime};
use tower::Service;

/// Inner service that accepts any request, and drops the body.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a unit struct")]
pub struct Handler;

impl<B> Service<Request<B>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(request);
        ready(Ok(Response::new(Full::new(Bytes::new()))))
    }
}

/// Creates the request of a delivery.
#[must_use]
pub fn request<B>(headers: &HeaderMap, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.headers_mut() = headers.clone();
    request
}

/// Calls a service, and returns the response.
///
/// # Panics
///
/// Panics if the service is not ready, fails, or is still pending after 1,000 polls.
pub fn call<S, R>(service: &mut S, request: R) -> S::Response
where
    S: Service<R, Error: core::fmt::Debug>,
{
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    finish(service.call(request)).expect("the service responds")
}

/// Creates a Tokio runtime with a timer, which the adapters need.
///
/// # Panics
///
/// Panics if the operating system has no resources for a runtime.
#[must_use]
pub fn runtime() -> Runtime {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_time().build().expect("a runtime")
}

/// Polls a future that never waits, and returns its output.
///
/// # Panics
///
/// Panics if the future is still pending after 1,000 polls.
pub fn finish<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    for _ in 0..1000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the future is still pending");
}

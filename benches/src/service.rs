//! Calls of a tower service without a server: for what is counted, not timed.

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

/// The service inside: takes any request, and keeps its body.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to it")]
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

/// A delivery as a request.
#[must_use]
pub fn request<B>(headers: &HeaderMap, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.headers_mut() = headers.clone();
    request
}

/// What the service answers.
///
/// # Panics
///
/// Where the service is not ready, fails, or is not done after a thousand polls.
pub fn call<S, R>(service: &mut S, request: R) -> S::Response
where
    S: Service<R, Error: core::fmt::Debug>,
{
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    finish(service.call(request)).expect("the service answers")
}

/// Makes a Tokio runtime with a timer, which the adapters need around them: enter it.
///
/// # Panics
///
/// If the system gives no resources for one.
#[must_use]
pub fn runtime() -> Runtime {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_time().build().expect("a runtime")
}

/// What comes of a future that waits for nothing.
///
/// # Panics
///
/// Where it is not done after a thousand polls.
pub fn finish<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    for _ in 0..1000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the future is not done");
}

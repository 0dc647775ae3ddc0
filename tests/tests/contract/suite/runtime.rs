//! The contract without a Tokio runtime, or with one that has no timer.

use core::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use scrupp_verify_core::RejectionKind;
use tokio::runtime::Builder;

use super::adapter::verify;
use crate::support::{Collected, EVENT, Middleware, TestRequest, genuine, problem, unsigned};

async fn reject(request: TestRequest) -> Collected {
    let polls = request.polls();
    let rejected = verify().reject(request).await.collect().await;
    assert_eq!(polls.count(), 0);
    rejected
}

/// Polls a future up to ten times, and panics if it stays pending.
fn complete<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the future is pending");
}

#[test]
fn rejects_every_request_outside_a_runtime() {
    for request in [genuine(EVENT), unsigned()] {
        let rejected = complete(reject(request));
        assert_eq!(rejected, problem(RejectionKind::RuntimeUnavailable));
    }
}

#[test]
fn rejects_every_request_on_a_runtime_without_a_timer() {
    let runtime = Builder::new_current_thread().build().unwrap();
    for request in [genuine(EVENT), unsigned()] {
        let rejected = runtime.block_on(reject(request));
        assert_eq!(rejected, problem(RejectionKind::RuntimeUnavailable));
    }
}

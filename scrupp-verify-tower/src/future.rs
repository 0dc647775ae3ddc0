use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, request};
use http_body::Body;
use pin_project_lite::pin_project;
use scrupp_verify_core::adapter::{HeldClaim, Outcome, Reception, Settling};
use tower_service::Service;

use crate::{
    ResponseBody, ScruppVerify, Verified, VerifiedBody,
    request::{Frames, Head},
};

pin_project! {
    /// The future of a [`ScruppVerifyService`](crate::ScruppVerifyService).
    ///
    /// # Cancel safety
    ///
    /// Dropped before the service inside was called, it leaves nothing behind; dropped later, it
    /// drops the service's future, and the delivery can be handled when it comes again.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<VerifiedBody>>,
    {
        settings: Arc<ScruppVerify>,
        #[pin]
        state: State<S, B, S::Future, Result<S::Response, S::Error>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, F, A> {
        Receiving { #[pin] reception: Reception<Frames<B>>, handler: Option<(S, request::Parts)> },
        Handling { #[pin] handling: F, claim: Option<HeldClaim> },
        Settling { settling: Settling, answer: Option<A> },
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<VerifiedBody>>,
    B: Body,
{
    pub(crate) fn new(service: S, settings: Arc<ScruppVerify>, request: Request<B>) -> Self {
        let (head, body) = request.into_parts();
        let reception = settings
            .gate
            .receive(&Head(&head.headers), &head, Frames { body });
        let handler = Some((service, head));
        Self {
            settings,
            state: State::Receiving { reception, handler },
        }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<VerifiedBody>, Response = Response<R>>,
    B: Body,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<R, B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Receiving { reception, handler } => {
                    let admitted = match ready!(reception.poll(&this.settings.gate, cx)) {
                        Outcome::Handle(admitted) => admitted,
                        Outcome::Acknowledged => {
                            return Poll::Ready(Ok(Response::new(ResponseBody::empty())));
                        }
                        Outcome::Refuse(refused) => {
                            return Poll::Ready(Ok(this.settings.refuse(refused)));
                        }
                    };
                    let Some((mut service, mut head)) = handler.take() else {
                        return Poll::Pending;
                    };
                    head.extensions.insert(Verified::new(admitted.verified));
                    let body = VerifiedBody::new(admitted.body);
                    State::Handling {
                        handling: service.call(Request::from_parts(head, body)),
                        claim: admitted.claim,
                    }
                }
                StateProjection::Handling { handling, claim } => {
                    let answer = ready!(handling.poll(cx));
                    let Some(claim) = claim.take() else {
                        return Poll::Ready(handled(answer));
                    };
                    let status = match &answer {
                        Ok(response) => response.status(),
                        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
                    };
                    State::Settling {
                        settling: claim.settle(status.as_u16()),
                        answer: Some(answer),
                    }
                }
                StateProjection::Settling { settling, answer } => {
                    ready!(Pin::new(settling).poll(cx));
                    return answer
                        .take()
                        .map_or(Poll::Pending, |answer| Poll::Ready(handled(answer)));
                }
            };
            this.state.set(next);
        }
    }
}

fn handled<R, B, E>(answer: Result<Response<R>, E>) -> Result<Response<ResponseBody<R, B>>, E> {
    answer.map(|response| response.map(ResponseBody::handled))
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<VerifiedBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

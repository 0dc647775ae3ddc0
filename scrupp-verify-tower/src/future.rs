use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, header::EXPECT, request};
use http_body::Body;
use pin_project_lite::pin_project;
use scrupp_verify_core::{Rejection, adapter::Opening};
use tower_service::Service;

use crate::{ResponseBody, ScruppVerify, VerifiedBody, head::Head, pump::Pump};

pin_project! {
    /// The future of a [`ScruppVerifyService`](crate::ScruppVerifyService).
    ///
    /// # Cancel safety
    ///
    /// Dropped before the service inside was called, it leaves nothing behind; dropped later, it
    /// drops the service's future.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<VerifiedBody>>,
    {
        settings: Arc<ScruppVerify>,
        handler: Option<(S, request::Parts)>,
        #[pin]
        state: State<S::Future, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B> {
        Opening { opening: Opening, body: Option<B> },
        Reading { #[pin] pump: Pump<B> },
        Handling { #[pin] response: F },
        Refused { rejection: Rejection, unread: Option<B> },
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<VerifiedBody>>,
    B: Body,
{
    pub(crate) fn new(service: S, settings: Arc<ScruppVerify>, request: Request<B>) -> Self {
        let (parts, body) = request.into_parts();
        let state = match settings.gate.open(&Head(&parts.headers), &parts) {
            Ok(opening) => State::Opening {
                opening,
                body: Some(body),
            },
            Err(rejection) => State::Refused {
                rejection,
                unread: Some(body),
            },
        };
        Self {
            settings,
            handler: Some((service, parts)),
            state,
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
                StateProjection::Opening { opening, body } => {
                    match (ready!(Pin::new(opening).poll(cx)), body.take()) {
                        (Ok(intake), Some(body)) => State::Reading {
                            pump: Pump::new(body, Ok(intake), &this.settings.gate),
                        },
                        (Err(rejection), unread) => State::Refused { rejection, unread },
                        (Ok(_), None) => return Poll::Pending,
                    }
                }
                StateProjection::Reading { pump } => match ready!(pump.poll(cx)) {
                    Ok((verified, body)) => {
                        let Some((mut service, mut head)) = this.handler.take() else {
                            return Poll::Pending;
                        };
                        head.extensions.insert(verified);
                        let request = Request::from_parts(head, VerifiedBody::new(body));
                        State::Handling {
                            response: service.call(request),
                        }
                    }
                    Err(rejection) => State::Refused {
                        rejection,
                        unread: None,
                    },
                },
                StateProjection::Handling { response } => {
                    return response
                        .poll(cx)
                        .map_ok(|response| response.map(ResponseBody::handled));
                }
                StateProjection::Refused { rejection, unread } => {
                    let rejection = *rejection;
                    let head = this.handler.take().map(|(_, head)| head);
                    let rest = unread.take().filter(|body| {
                        // A client that waits to be asked for its body is not asked any more.
                        let waits = head.is_none_or(|head| head.headers.contains_key(EXPECT));
                        !waits && !body.is_end_stream()
                    });
                    let rest =
                        rest.map(|body| Pump::new(body, Err(rejection), &this.settings.gate));
                    let response = this.settings.refuse(rejection);
                    return Poll::Ready(Ok(
                        response.map(|problem| ResponseBody::refused(problem, rest))
                    ));
                }
            };
            this.state.set(next);
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<VerifiedBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

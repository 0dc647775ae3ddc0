use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Body;
use pin_project_lite::pin_project;
use scrupp_verify_core::adapter::Reception;
use tower_service::Service;

use crate::{
    ResponseBody, ScruppVerify, VerifiedBody,
    request::{Frames, Head},
};

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
        #[pin]
        state: State<S, B, S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, F> {
        Receiving { #[pin] reception: Reception<Frames<B>>, handler: Option<(S, request::Parts)> },
        Handling { #[pin] response: F },
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
            match this.state.as_mut().project() {
                StateProjection::Receiving { reception, handler } => {
                    let admitted = match ready!(reception.poll(cx)) {
                        Ok(admitted) => admitted,
                        Err(refused) => return Poll::Ready(Ok(this.settings.refuse(refused))),
                    };
                    let Some((mut service, mut head)) = handler.take() else {
                        return Poll::Pending;
                    };
                    head.extensions.insert(admitted.verified);
                    let body = VerifiedBody::new(admitted.body);
                    let response = service.call(Request::from_parts(head, body));
                    this.state.set(State::Handling { response });
                }
                StateProjection::Handling { response } => {
                    return response
                        .poll(cx)
                        .map_ok(|response| response.map(ResponseBody::handled));
                }
            }
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

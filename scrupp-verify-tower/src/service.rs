use core::{
    mem,
    task::{Context, Poll},
};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{ResponseBody, ResponseFuture, ScruppVerify, VerifiedBody};

/// The service that [`ScruppVerify`] puts around another.
#[derive(Clone, Debug)]
pub struct ScruppVerifyService<S> {
    inner: S,
    settings: Arc<ScruppVerify>,
}

impl<S> ScruppVerifyService<S> {
    pub(crate) fn new(inner: S, settings: Arc<ScruppVerify>) -> Self {
        Self { inner, settings }
    }
}

impl<S, B, R> Service<Request<B>> for ScruppVerifyService<S>
where
    S: Service<Request<VerifiedBody>, Response = Response<R>> + Clone,
    B: Body,
    R: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R, B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was made ready is the one to be called: its clone need not be ready.
        let next = self.inner.clone();
        let ready = mem::replace(&mut self.inner, next);
        ResponseFuture::new(ready, Arc::clone(&self.settings), request)
    }
}

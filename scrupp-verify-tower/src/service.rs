use core::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use scrupp_verify_adapter::{Claimed, Duplicate};
use scrupp_verify_core::Headers;
use tower_service::Service;

use crate::{ResponseBody, VerifiedBody, layer::Config};

/// The service that [`ScruppVerify`](crate::ScruppVerify) creates around an inner service.
///
/// # Cancel safety
///
/// If the response future is dropped, the future of the inner service is dropped with it. The claim of
/// the delivery is released, so the next attempt runs the inner service again.
#[derive(Clone, Debug)]
pub struct ScruppVerifyService<S> {
    pub(crate) inner: S,
    pub(crate) config: Arc<Config>,
}

impl<S, B, R> Service<Request<B>> for ScruppVerifyService<S>
where
    S: Service<Request<VerifiedBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    R: Body<Data = Bytes> + Send,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Call the service that was polled ready. Its clone may not be ready.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let config = Arc::clone(&self.config);
        let (mut head, mut body) = request.into_parts();
        Box::pin(async move {
            let (request, handler) = {
                let headers = HeaderLines(&head.headers);
                let claimed = head.extensions.get::<Claimed>();
                let received = config.receive(&headers, &head, claimed, &mut body).await;
                match received {
                    Ok(Some(accepted)) => {
                        drop(body);
                        let body = VerifiedBody::new(accepted.delivery.body().clone());
                        head.extensions.insert(*accepted.delivery.verified());
                        head.extensions.insert(accepted.delivery);
                        if let Some(claimed) = accepted.handler.claimed() {
                            head.extensions.insert(claimed);
                        }
                        (Request::from_parts(head, body), accepted.handler)
                    }
                    Ok(None) => {
                        let body = ResponseBody::rejected(Bytes::new(), None);
                        let mut response = Response::new(body);
                        response.extensions_mut().insert(Duplicate);
                        return Ok(response);
                    }
                    Err(rejected) => {
                        let mut response = (config.on_rejection)(&rejected.rejection);
                        response.extensions_mut().insert(rejected.rejection);
                        let drain = config.drain(rejected, body);
                        let drain = drain.map(|drain| Box::pin(drain) as _);
                        return Ok(response.map(|body| ResponseBody::rejected(body, drain)));
                    }
                }
            };
            let result = inner.call(request).await;
            let response = result.as_ref().ok();
            let status = response.map(|response| response.status().as_u16());
            let is_duplicate =
                response.is_some_and(|response| response.extensions().get::<Duplicate>().is_some());
            handler.complete(status, is_duplicate).await;
            result.map(|response| response.map(ResponseBody::handled))
        })
    }
}

/// The headers of a request, for the core.
struct HeaderLines<'h>(&'h HeaderMap);

impl Headers for HeaderLines<'_> {
    #[inline]
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let headers = self.0.iter();
        headers.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
    }
}

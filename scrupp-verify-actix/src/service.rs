use core::pin::Pin;
use std::{rc::Rc, sync::Arc};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, forward_ready},
    http::header::HeaderMap,
    rt::task::yield_now,
};
use scrupp_verify_adapter::{Claimed, Duplicate};
use scrupp_verify_core::Headers;

use crate::{RejectionBody, middleware::Config, request_body::RequestBody};

/// The service that [`ScruppVerify`](crate::ScruppVerify) creates around an inner service.
///
/// # Cancel safety
///
/// If the response future is dropped, the future of the inner service is dropped with it. The claim of
/// the delivery is released, so the next attempt runs the inner service again.
#[derive(Debug)]
pub struct ScruppVerifyService<S> {
    pub(crate) inner: Rc<S>,
    pub(crate) config: Arc<Config>,
}

impl<S, B> Service<ServiceRequest> for ScruppVerifyService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B, RejectionBody>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(inner);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let inner = Rc::clone(&self.inner);
        let config = Arc::clone(&self.config);
        Box::pin(async move {
            let mut body = RequestBody::new(request.take_payload(), request.headers());
            let headers = HeaderLines(request.headers());
            let claimed = request.extensions().get::<Claimed>().copied();
            let received = config
                .receive(&headers, request.request(), claimed.as_ref(), &mut body)
                .await;
            let accepted = match received {
                Ok(Some(accepted)) => accepted,
                Ok(None) => {
                    let mut response = HttpResponse::Ok().finish();
                    response.extensions_mut().insert(Duplicate);
                    let response = response.map_body(|_, body| RejectionBody::new(body, None));
                    return Ok(request.into_response(response).map_into_right_body());
                }
                Err(rejected) => {
                    // The server closes a connection if the response comes before the body. Yielding
                    // lets the server read what has already arrived, without asking for more.
                    yield_now().await;
                    let mut response = (config.on_rejection)(&rejected.rejection);
                    response.extensions_mut().insert(rejected.rejection);
                    let drain = config.drain(rejected, body);
                    let drain = drain.map(|drain| Box::pin(drain) as _);
                    let response = response.map_body(|_, body| RejectionBody::new(body, drain));
                    return Ok(request.into_response(response).map_into_right_body());
                }
            };
            drop(body);
            let delivery = accepted.delivery;
            request.set_payload(Payload::from(delivery.body().clone()));
            request.extensions_mut().insert(*delivery.verified());
            request.extensions_mut().insert(delivery);
            if let Some(claimed) = accepted.handler.claimed() {
                request.extensions_mut().insert(claimed);
            }
            let result = inner.call(request).await;
            let (status, is_duplicate) = match &result {
                Ok(response) => {
                    let extensions = response.response().extensions();
                    (response.status(), extensions.get::<Duplicate>().is_some())
                }
                Err(error) => (error.as_response_error().status_code(), false),
            };
            let status = Some(status.as_u16());
            accepted.handler.complete(status, is_duplicate).await;
            result.map(ServiceResponse::map_into_left_body)
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

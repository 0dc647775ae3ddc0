use core::pin::Pin;
use std::rc::Rc;

use actix_web::{
    Error, HttpMessage,
    body::{EitherBody, MessageBody},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, forward_ready},
};

use crate::{
    RefusalBody, ScruppVerify,
    request::{Chunks, Head},
};

/// The service that [`ScruppVerify`] puts around another.
#[derive(Debug)]
pub struct ScruppVerifyService<S> {
    inner: Rc<S>,
    settings: Rc<ScruppVerify>,
}

impl<S> ScruppVerifyService<S> {
    pub(crate) fn new(inner: S, settings: ScruppVerify) -> Self {
        Self {
            inner: Rc::new(inner),
            settings: Rc::new(settings),
        }
    }
}

impl<S, B> Service<ServiceRequest> for ScruppVerifyService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B, RefusalBody>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(inner);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let inner = Rc::clone(&self.inner);
        let settings = Rc::clone(&self.settings);
        let body = Chunks(request.take_payload());
        let head = Head(request.headers());
        let reception = settings.gate.receive(&head, request.request(), body);
        Box::pin(async move {
            let admitted = match reception.await {
                Ok(admitted) => admitted,
                Err(refused) => {
                    let response = settings.refuse(refused);
                    return Ok(request.into_response(response).map_into_right_body());
                }
            };
            request.extensions_mut().insert(admitted.verified);
            request.set_payload(Payload::from(admitted.body));
            let response = inner.call(request).await?;
            Ok(response.map_into_left_body())
        })
    }
}

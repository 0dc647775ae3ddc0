use core::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};
use std::rc::Rc;

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, forward_ready},
};
use scrupp_verify_core::adapter::Outcome;

use crate::{
    RefusalBody, ScruppVerify, Verified,
    request::{Chunks, Head},
};

/// Lets the task that polls this go on with something else, once.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

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
        Box::pin(async move {
            let body = Chunks(request.take_payload());
            let head = Head(request.headers());
            let reception = settings.gate.receive(&head, request.request(), body);
            // Dropped with the payload before the handler runs.
            let outcome = {
                let mut reception = pin!(reception);
                poll_fn(|cx| reception.as_mut().poll(&settings.gate, cx)).await
            };
            let admitted = match outcome {
                Outcome::Handle(admitted) => admitted,
                Outcome::Acknowledged => {
                    let response = HttpResponse::Ok()
                        .finish()
                        .map_body(|_, body| RefusalBody::new(body, None));
                    return Ok(request.into_response(response).map_into_right_body());
                }
                Outcome::Refuse(refused) => {
                    // The server closes a connection if it answers while a body is still to come.
                    // Without being asked, it takes in what is there already.
                    yield_now().await;
                    let response = settings.refuse(refused);
                    return Ok(request.into_response(response).map_into_right_body());
                }
            };
            request
                .extensions_mut()
                .insert(Verified::new(admitted.verified));
            request.set_payload(Payload::from(admitted.body));
            let answer = inner.call(request).await;
            if let Some(claim) = admitted.claim {
                let status = match &answer {
                    Ok(response) => response.status(),
                    Err(error) => error.as_response_error().status_code(),
                };
                claim.settle(status.as_u16()).await;
            }
            answer.map(ServiceResponse::map_into_left_body)
        })
    }
}

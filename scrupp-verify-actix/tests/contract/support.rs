use core::{
    cell::{Cell, RefCell},
    fmt,
    future::ready,
    pin::Pin,
    task::{Context, Poll},
};
use std::rc::Rc;

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, EitherBody},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, fn_service},
    error::PayloadError,
    test::TestRequest,
};
use bytes::Bytes;
use futures_core::Stream;
use scrupp_verify_actix::{
    RefusalBody, Rejection, RejectionKind, ScruppVerify, Secret, Signer, UnixTime,
};

pub(crate) const NOW: u64 = 1_735_471_800;
pub(crate) const PATH: &str = "/webhooks/scrupp";
pub(crate) const EVENT: &[u8] =
    br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

pub(crate) fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

pub(crate) fn verify() -> ScruppVerify {
    ScruppVerify::new(secret()).clock(|| Some(UnixTime::from_secs(NOW)))
}

/// The head of a delivery with this content, and no body yet.
pub(crate) fn signed(content: &[u8]) -> TestRequest {
    let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), content);
    headers
        .pairs()
        .into_iter()
        .fold(TestRequest::post().uri(PATH), TestRequest::insert_header)
}

pub(crate) fn genuine(content: &'static [u8]) -> TestRequest {
    signed(content).set_payload(content)
}

pub(crate) fn scripted(head: TestRequest, body: Scripted) -> ServiceRequest {
    let mut request = head.to_srv_request();
    let stream: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(body);
    request.set_payload(Payload::from(stream));
    request
}

pub(crate) type Answer = Result<ServiceResponse<EitherBody<BoxBody, RefusalBody>>, Error>;

/// Calls the middleware around this service.
pub(crate) async fn answer<S>(verify: &ScruppVerify, inner: S, request: ServiceRequest) -> Answer
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
{
    let service = verify.new_transform(inner).await.unwrap();
    service.call(request).await
}

/// The refusal of a request whose handler must not be called.
pub(crate) async fn refusal(
    verify: &ScruppVerify,
    request: ServiceRequest,
) -> ServiceResponse<EitherBody<BoxBody, RefusalBody>> {
    answer(verify, never(), request).await.unwrap()
}

/// A handler that must not be called.
pub(crate) fn never() -> impl Service<ServiceRequest, Response = ServiceResponse, Error = Error> {
    fn_service(|_| async { panic!("the handler was called") })
}

pub(crate) type Seen = Rc<RefCell<Vec<ServiceRequest>>>;

/// A handler that keeps what it gets.
pub(crate) fn keeps(
    seen: &Seen,
) -> impl Service<ServiceRequest, Response = ServiceResponse, Error = Error> + use<> {
    let seen = Rc::clone(seen);
    fn_service(move |request: ServiceRequest| {
        let answered = TestRequest::default().to_srv_request();
        seen.borrow_mut().push(request);
        ready(Ok(answered.into_response(HttpResponse::Ok())))
    })
}

pub(crate) fn kind<B: fmt::Debug>(response: &ServiceResponse<B>) -> RejectionKind {
    let extensions = response.response().extensions();
    extensions.get::<Rejection>().unwrap().kind()
}

/// A payload in turns, which counts how often it is asked.
pub(crate) struct Scripted {
    script: Vec<Turn>,
    pub(crate) polls: Rc<Cell<usize>>,
}

pub(crate) enum Turn {
    Data(&'static [u8]),
    Error,
    /// Nothing, and no wake-up either.
    Stall,
    /// The same chunk for ever.
    Endless(&'static [u8]),
}

impl Scripted {
    pub(crate) fn new(script: impl IntoIterator<Item = Turn>) -> Self {
        let mut script: Vec<_> = script.into_iter().collect();
        script.reverse();
        Self {
            script,
            polls: Rc::default(),
        }
    }
}

impl Stream for Scripted {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.polls.set(self.polls.get() + 1);
        let data = |bytes| Poll::Ready(Some(Ok(Bytes::from_static(bytes))));
        match self.script.pop() {
            None => Poll::Ready(None),
            Some(Turn::Data(bytes)) => data(bytes),
            Some(Turn::Error) => Poll::Ready(Some(Err(PayloadError::Incomplete(None)))),
            Some(Turn::Stall) => {
                self.script.push(Turn::Stall);
                Poll::Pending
            }
            Some(Turn::Endless(bytes)) => {
                self.script.push(Turn::Endless(bytes));
                data(bytes)
            }
        }
    }
}

//! The contract for actix-web.

use core::{
    future::{self, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::to_bytes,
    dev::{Payload, Service, ServiceRequest, Transform, fn_service},
    error::{ErrorInternalServerError, PayloadError},
    http::StatusCode,
    test,
};
use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;
use scrupp_verify_actix::Duplicate;
pub(crate) use scrupp_verify_actix::{Dedup, Observation, ScruppVerify};
use scrupp_verify_core::{Account, Rejection, UnixTime};

use crate::support::{
    Failed, Middleware, NOW, Outcome, Received, ScriptedBody, TestRequest, TestResponse, secret,
};

pub(crate) fn verify() -> ScruppVerify {
    ScruppVerify::new(secret()).clock(|| Some(UnixTime::from_secs(NOW)))
}

/// Looks up the account by the request's path.
pub(crate) fn verify_with_lookup(
    lookup: fn(&str) -> Result<Option<Account>, &'static str>,
) -> ScruppVerify {
    ScruppVerify::with_account_lookup(move |request| future::ready(lookup(request.path())))
        .clock(|| Some(UnixTime::from_secs(NOW)))
}

/// Responds to a rejection with this status, with the kind in the body and in a header.
pub(crate) fn respond_with_kind(verify: ScruppVerify, status: u16) -> ScruppVerify {
    verify.on_rejection(move |rejection| {
        let kind = rejection.kind().as_str();
        HttpResponse::build(StatusCode::from_u16(status).unwrap())
            .insert_header(("x-kind", kind))
            .body(kind)
    })
}

impl Middleware for ScruppVerify {
    async fn deliver<H, F>(&self, request: TestRequest, handler: H) -> Result<TestResponse, Failed>
    where
        H: Fn(Received) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let inner = fn_service(move |mut request: ServiceRequest| {
            let handler = handler.clone();
            async move {
                let outcome = handler(Received {
                    path: request.path().to_owned(),
                    body: read(request.take_payload()).await,
                    verified: *request.extensions().get().unwrap(),
                    delivery: request.extensions().get().cloned().unwrap(),
                    claimed: request.extensions().get().copied(),
                });
                let status = outcome
                    .await
                    .map_err(|Failed| ErrorInternalServerError(""))?;
                let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
                Ok::<_, Error>(request.into_response(response.body("handled")))
            }
        });
        let service = self.new_transform(inner).await.unwrap();
        let mut head = test::TestRequest::post().uri(request.path);
        for header in request.headers {
            head = head.append_header(header);
        }
        let body: Pin<Box<dyn Stream<Item = _>>> = Box::pin(ScriptedPayload(request.body));
        let mut request = head.to_srv_request();
        request.set_payload(Payload::from(body));
        let response = service.call(request).await.map_err(|_| Failed)?;

        let headers = response.headers().iter();
        let mut headers: Vec<_> = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        let (kind, is_duplicate) = {
            let extensions = response.response().extensions();
            let is_duplicate = extensions.get::<Duplicate>().is_some();
            (extensions.get().map(Rejection::kind), is_duplicate)
        };
        Ok(TestResponse {
            status: response.status().as_u16(),
            headers,
            kind,
            is_duplicate,
            body: Box::pin(async { to_bytes(response.into_body()).await.unwrap() }),
        })
    }
}

/// Reads a verified body, which is in one chunk.
async fn read(mut payload: Payload) -> Bytes {
    let mut body = Bytes::new();
    while let Some(chunk) = poll_fn(|cx| Pin::new(&mut payload).poll_next(cx)).await {
        assert!(body.is_empty(), "more than one chunk");
        body = chunk.unwrap();
    }
    body
}

/// A payload without trailers, which actix-web does not support.
struct ScriptedPayload(ScriptedBody);

impl Stream for ScriptedPayload {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
            Some(Ok(frame)) => frame.into_data().ok().map(Ok),
            Some(Err(_)) => Some(Err(PayloadError::Incomplete(None))),
            None => None,
        })
    }
}

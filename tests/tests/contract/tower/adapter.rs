//! The contract for tower.

use core::future::ready;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use scrupp_verify_core::{Account, Rejection, UnixTime};
pub(crate) use scrupp_verify_tower::{Dedup, Observation, ScruppVerify};
use scrupp_verify_tower::{Duplicate, VerifiedBody};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    Failed, Middleware, NOW, Outcome, Received, TestRequest, TestResponse, secret,
};

pub(crate) fn verify() -> ScruppVerify {
    ScruppVerify::new(secret()).clock(|| Some(UnixTime::from_secs(NOW)))
}

/// Looks up the account by the request's path.
pub(crate) fn verify_with_lookup(
    lookup: fn(&str) -> Result<Option<Account>, &'static str>,
) -> ScruppVerify {
    ScruppVerify::with_account_lookup(move |head| ready(lookup(head.uri.path())))
        .clock(|| Some(UnixTime::from_secs(NOW)))
}

/// Responds to a rejection with this status, with the kind in the body and in a header.
pub(crate) fn respond_with_kind(verify: ScruppVerify, status: u16) -> ScruppVerify {
    verify.on_rejection(move |rejection| {
        let kind = rejection.kind().as_str();
        let response = Response::builder().status(status).header("x-kind", kind);
        response.body(kind).unwrap()
    })
}

impl Middleware for ScruppVerify {
    async fn deliver<H, F>(&self, request: TestRequest, handler: H) -> Result<TestResponse, Failed>
    where
        H: Fn(Received) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let inner = service_fn(move |request: Request<VerifiedBody>| {
            let (head, body) = request.into_parts();
            let outcome = handler(Received {
                path: head.uri.path().to_owned(),
                body: body.into_bytes(),
                verified: *head.extensions.get().unwrap(),
                delivery: head.extensions.get().cloned().unwrap(),
                claimed: head.extensions.get().copied(),
            });
            async move {
                let response = Response::builder().status(outcome.await?);
                Ok(response.body(Full::<Bytes>::from("handled")).unwrap())
            }
        });
        let mut head = Request::post(request.path);
        for (name, value) in request.headers {
            head = head.header(name, value);
        }
        let request = head.body(request.body).unwrap();
        let response = self.layer(inner).oneshot(request).await?;

        let (head, body) = response.into_parts();
        let headers = head.headers.iter();
        let mut headers: Vec<_> = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        Ok(TestResponse {
            status: head.status.as_u16(),
            headers,
            kind: head.extensions.get().map(Rejection::kind),
            is_duplicate: head.extensions.get::<Duplicate>().is_some(),
            body: Box::pin(async { body.collect().await.unwrap().to_bytes() }),
        })
    }
}

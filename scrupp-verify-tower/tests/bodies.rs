//! Bodies of requests and responses: size hints, ends and data types.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{
    convert::Infallible,
    future::ready,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, buf::Chain};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use scrupp_verify_tower::{
    Rejection, RejectionKind, ScruppVerify, Secret, Signer, UnixTime, VerifiedBody,
};
use tower::{Layer, ServiceExt, service_fn};

const NOW: u64 = 1_735_471_800;

fn layer() -> ScruppVerify {
    ScruppVerify::new(Secret::new("topsecret").unwrap()).clock(|| Some(UnixTime::from_secs(NOW)))
}

fn signed<B>(content: &[u8], body: B) -> Request<B> {
    let signer = Signer::new(&Secret::new("topsecret").unwrap());
    let mut request = Request::post("/");
    for (name, value) in signer.sign(UnixTime::from_secs(NOW), content).pairs() {
        request = request.header(name, value);
    }
    request.body(body).unwrap()
}

async fn handle(_: Request<VerifiedBody>) -> Result<Response<Empty<Bytes>>, Infallible> {
    Ok(Response::new(Empty::new()))
}

/// Returns `is_end_stream` and the exact size hint of a body.
fn end_and_length(body: &impl Body) -> (bool, Option<u64>) {
    (body.is_end_stream(), body.size_hint().exact())
}

#[tokio::test]
async fn verified_body_has_exact_length_and_end() {
    for content in [&b""[..], b"{}", &[7; 1000]] {
        let handler = service_fn(move |request: Request<VerifiedBody>| async move {
            let mut body = request.into_body();
            let length = Some(content.len() as u64);
            assert_eq!(end_and_length(&body), (content.is_empty(), length));
            let frame = body.frame().await;
            assert_eq!(frame.is_some(), !content.is_empty());
            assert_eq!(end_and_length(&body), (true, Some(0)));
            assert!(body.frame().await.is_none());
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let request = signed(content, Full::new(Bytes::from_static(content)));
        let response = layer().layer(handler).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}

/// A body with this size hint, which may differ from what it yields.
struct Stating {
    length: u64,
    endless: Option<Bytes>,
}

impl Body for Stating {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.endless.clone().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.length == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

#[tokio::test]
async fn response_of_the_service_keeps_its_length_and_end() {
    for length in [0, 1, 1000] {
        let handler = service_fn(move |_: Request<VerifiedBody>| {
            let body = Stating {
                length,
                endless: None,
            };
            ready(Ok::<_, Infallible>(Response::new(body)))
        });
        let request = signed(b"{}", Full::new(Bytes::from_static(b"{}")));
        let response = layer().layer(handler).oneshot(request).await.unwrap();
        assert_eq!(end_and_length(response.body()), (length == 0, Some(length)));
    }
}

#[tokio::test]
async fn rejection_has_exact_length_unless_that_prevents_the_drain() {
    let problem = br#"{"title":"Unauthorized","status":401}"#;
    let length = Some(problem.len() as u64);
    let empty = || layer().on_rejection(|_| Response::new(Bytes::new()));
    for (layer, request, stated, response) in [
        (layer(), &b"{}"[..], (false, length), &problem[..]),
        (layer(), b"", (false, length), problem),
        (empty(), b"{}", (false, None), b""),
        (empty(), b"", (true, Some(0)), b""),
    ] {
        let request = Request::new(Full::new(Bytes::from_static(request)));
        let rejected = layer.layer(service_fn(handle)).oneshot(request).await;
        let mut body = rejected.unwrap().into_body();
        assert_eq!(end_and_length(&body), stated);
        let frame = body.frame().await;
        let data = frame.map(|frame| frame.unwrap().into_data().unwrap());
        assert_eq!(data.unwrap_or_default(), response);
        assert_eq!(end_and_length(&body), (true, Some(0)));
    }
}

#[tokio::test]
async fn limit_counts_received_bytes_and_not_the_size_hint() {
    let body = Stating {
        length: 5,
        endless: Some(Bytes::from_static(b"0123456789")),
    };
    let layer = layer().body_limit(100).layer(service_fn(handle));
    let response = layer.oneshot(signed(b"", body)).await.unwrap();
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.kind(), RejectionKind::BodyTooLarge);
}

#[tokio::test]
async fn accepts_data_that_is_not_contiguous() {
    let data: Chain<&[u8], &[u8]> = b"{\"a\":".chain(&b"1}"[..]);
    let handler = service_fn(async |request: Request<VerifiedBody>| {
        assert_eq!(request.into_body().into_bytes(), "{\"a\":1}");
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let request = signed(b"{\"a\":1}", Full::new(data));
    let response = layer().layer(handler).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

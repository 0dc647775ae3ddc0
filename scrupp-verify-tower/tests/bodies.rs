//! What bodies say of themselves, and when the layer polls them, waits and lets go of them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{
    convert::Infallible,
    future::ready,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use scrupp_verify_tower::{ScruppVerify, Secret, Signer, UnixTime, VerifiedBody};
use tower::{Layer, Service, ServiceExt, service_fn};

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

/// What a body says, as `(is at its end, length if known)`.
fn says(body: &impl Body) -> (bool, Option<u64>) {
    (body.is_end_stream(), body.size_hint().exact())
}

/// A body that is pending so often before its one frame, and says nothing of itself.
struct Late {
    pending: u32,
    frame: Option<Bytes>,
}

impl Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.pending > 0 {
            self.pending -= 1;
            return Poll::Pending;
        }
        Poll::Ready(self.frame.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[tokio::test]
async fn a_verified_body_says_how_long_it_is_and_when_it_is_over() {
    for content in [&b""[..], b"{}", &[7; 1000]] {
        let handler = service_fn(move |request: Request<VerifiedBody>| async move {
            let mut body = request.into_body();
            assert_eq!(
                says(&body),
                (content.is_empty(), Some(content.len() as u64))
            );
            let frames = body.frame().await;
            assert_eq!(frames.is_some(), !content.is_empty());
            assert_eq!(says(&body), (true, Some(0)));
            assert!(body.frame().await.is_none());
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let request = signed(content, Full::new(Bytes::from_static(content)));
        let response = layer().layer(handler).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_response_of_the_service_says_what_its_own_body_says() {
    struct Hint(u64);
    impl Body for Hint {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(None)
        }

        fn is_end_stream(&self) -> bool {
            self.0 == 0
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }
    for length in [0, 1, 1000] {
        let handler = service_fn(move |_: Request<VerifiedBody>| {
            ready(Ok::<_, Infallible>(Response::new(Hint(length))))
        });
        let request = signed(b"{}", Full::new(Bytes::from_static(b"{}")));
        let response = layer().layer(handler).oneshot(request).await.unwrap();
        assert_eq!(says(response.body()), (length == 0, Some(length)));
    }
}

#[tokio::test]
async fn a_refusal_says_its_length_unless_that_would_end_it_before_the_request_is_read() {
    let silent = || layer().on_rejection(|_| Response::new(Bytes::new()));
    let refuse = |layer: ScruppVerify, body: &'static [u8]| {
        let handler = service_fn(|_: Request<VerifiedBody>| {
            ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
        });
        let request = Request::post("/").body(Full::new(Bytes::from_static(body)));
        layer.layer(handler).oneshot(request.unwrap())
    };
    let problem = br#"{"title":"Unauthorized","status":401}"#;
    let length = Some(problem.len() as u64);
    for (layer, body, says_first, answer) in [
        (layer(), &b"{}"[..], (false, length), &problem[..]),
        (layer(), b"", (false, length), problem),
        (silent(), b"{}", (false, None), b""),
        (silent(), b"", (true, Some(0)), b""),
    ] {
        let mut response = refuse(layer, body).await.unwrap().into_body();
        assert_eq!(says(&response), says_first);
        let frame = response.frame().await;
        let data = frame.map(|frame| frame.unwrap().into_data().unwrap());
        assert_eq!(data.unwrap_or_default(), answer);
        assert_eq!(says(&response), (true, Some(0)));
    }
}

/// Without a runtime there is no timer to be had, so that this ends only if none is made.
#[test]
fn makes_no_timer_for_a_body_that_is_there_by_the_second_poll() {
    for pending in [0, 1] {
        let frame = Some(Bytes::from_static(b"{}"));
        let handler = service_fn(|_: Request<VerifiedBody>| {
            ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
        });
        let answer = layer()
            .layer(handler)
            .call(signed(b"{}", Late { pending, frame }));
        let mut answer = pin!(answer);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..pending {
            assert!(answer.as_mut().poll(&mut context).is_pending());
        }
        let Poll::Ready(Ok(response)) = answer.poll(&mut context) else {
            panic!("not answered at poll {}", pending + 1);
        };
        assert_eq!(response.status(), StatusCode::OK);
    }
}

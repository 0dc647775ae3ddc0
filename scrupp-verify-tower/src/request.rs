use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::Body;
use pin_project_lite::pin_project;
use scrupp_verify_core::{
    RequestHead, SIGNATURE_HEADER, TIMESTAMP_HEADER,
    adapter::{BodyStream, Broken},
};

static SIGNATURE: HeaderName = HeaderName::from_static(SIGNATURE_HEADER);
static TIMESTAMP: HeaderName = HeaderName::from_static(TIMESTAMP_HEADER);

/// The headers of a request, as verification sees them.
pub(crate) struct Head<'h>(pub(crate) &'h HeaderMap);

impl RequestHead for Head<'_> {
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        // A name that is parsed already is found in a third of the time.
        let values = match name {
            SIGNATURE_HEADER => self.0.get_all(&SIGNATURE),
            TIMESTAMP_HEADER => self.0.get_all(&TIMESTAMP),
            "content-length" => self.0.get_all(header::CONTENT_LENGTH),
            "expect" => self.0.get_all(header::EXPECT),
            other => self.0.get_all(other),
        };
        values.iter().map(HeaderValue::as_bytes)
    }
}

pin_project! {
    /// The body of a request, as verification reads it.
    pub(crate) struct Frames<B> {
        #[pin]
        pub(crate) body: B,
    }
}

impl<B: Body> BodyStream for Frames<B> {
    type Data = B::Data;

    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<B::Data, Broken>>> {
        let frame = ready!(self.project().body.poll_frame(cx));
        Poll::Ready(frame.and_then(|frame| match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(_) => Some(Err(Broken)),
        }))
    }

    fn is_end(&self) -> bool {
        self.body.is_end_stream()
    }
}

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::HeaderMap;
use http_body::Body;
use pin_project_lite::pin_project;
use scrupp_verify_core::{
    RequestHead,
    adapter::{BodyStream, Broken},
};

/// The headers of a request, as verification sees them.
pub(crate) struct Head<'h>(pub(crate) &'h HeaderMap);

impl RequestHead for Head<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let headers = self.0.iter();
        headers.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
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

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    dev::Payload,
    error::PayloadError,
    http::header::{CONTENT_LENGTH, HeaderMap},
};
use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};

/// The body of a request as it was sent, not decompressed.
pub(crate) struct RequestBody {
    payload: Payload,
    /// The number of bytes that have not arrived yet, if the request declares a length.
    remaining: Option<u64>,
}

impl RequestBody {
    pub(crate) fn new(payload: Payload, headers: &HeaderMap) -> Self {
        let declared = headers.get(CONTENT_LENGTH);
        Self {
            payload,
            remaining: declared.and_then(|length| length.to_str().ok()?.parse().ok()),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = PayloadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PayloadError>>> {
        let chunk = ready!(Pin::new(&mut self.payload).poll_next(cx));
        if let (Some(Ok(chunk)), Some(remaining)) = (&chunk, &mut self.remaining) {
            *remaining = remaining.saturating_sub(chunk.len() as u64);
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == Some(0) || matches!(self.payload, Payload::None)
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    dev::Payload,
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
};
use bytes::Bytes;
use futures_core::Stream;
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
        values.map(HeaderValue::as_bytes)
    }
}

/// The body of a request, as verification reads it: what was on the wire, not decompressed.
pub(crate) struct Chunks(pub(crate) Payload);

impl BodyStream for Chunks {
    type Data = Bytes;

    fn poll_piece(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        let chunk = ready!(Pin::new(&mut self.0).poll_next(cx));
        Poll::Ready(chunk.map(|chunk| chunk.map_err(|_| Broken)))
    }

    fn is_end(&self) -> bool {
        matches!(self.0, Payload::None)
    }
}

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{dev::Payload, http::header::HeaderMap};
use bytes::Bytes;
use futures_core::Stream;
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

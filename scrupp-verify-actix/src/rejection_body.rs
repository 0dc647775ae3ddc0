use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

/// The body of the response to a rejection or a duplicate.
///
/// If the request was not read completely, this body drains the request before it yields its own bytes.
/// The client gets the head of the response at once, and the connection is not reset while the client
/// is still sending.
pub struct RejectionBody {
    body: BoxBody,
    drain: Option<Drain>,
}

type Drain = Pin<Box<dyn Future<Output = ()>>>;

impl RejectionBody {
    pub(crate) fn new(body: BoxBody, drain: Option<Drain>) -> Self {
        Self { body, drain }
    }
}

impl MessageBody for RejectionBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        match self.body.size() {
            // With this size, the server would end the response before the drain.
            size if size.is_eof() && self.drain.is_some() => BodySize::Stream,
            size => size,
        }
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if let Some(drain) = &mut self.drain {
            ready!(drain.as_mut().poll(cx));
            self.drain = None;
        }
        Pin::new(&mut self.body).poll_next(cx)
    }
}

impl fmt::Debug for RejectionBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectionBody").finish_non_exhaustive()
    }
}

use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use pin_project_lite::pin_project;
use scrupp_verify_core::adapter::Rest;

use crate::request::Chunks;

pin_project! {
    /// The body of a refusal.
    ///
    /// If its request was not read to its end, it reads the rest before it ends itself: the client
    /// gets the head at once, and then sends what is on its way without being reset.
    pub struct RefusalBody {
        body: BoxBody,
        #[pin]
        rest: Option<Rest<Chunks>>,
    }
}

impl RefusalBody {
    pub(crate) fn new(body: BoxBody, rest: Option<Rest<Chunks>>) -> Self {
        Self { body, rest }
    }
}

impl MessageBody for RefusalBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        match self.body.size() {
            // That would end the response before the rest of the request is read.
            size if size.is_eof() && self.rest.is_some() => BodySize::Stream,
            size => size,
        }
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let mut this = self.project();
        if let Some(unread) = this.rest.as_mut().as_pin_mut() {
            ready!(unread.poll(cx));
            this.rest.set(None);
        }
        Pin::new(this.body).poll_next(cx)
    }
}

impl fmt::Debug for RefusalBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusalBody").finish_non_exhaustive()
    }
}

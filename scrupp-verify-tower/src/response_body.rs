use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response: the body of the inner service, or that of a rejection.
    ///
    /// If a rejected request was not read completely, this body drains the request before it yields its
    /// own bytes. The client gets the head of the response at once, and the connection is not reset
    /// while the client is still sending.
    pub struct ResponseBody<R> {
        // `None` for a rejection or a duplicate.
        #[pin]
        handled: Option<R>,
        problem: Bytes,
        // In a mutex, which is never locked, because Poem and Salvo require bodies that are `Sync`.
        drain: Option<Mutex<Drain>>,
    }
}

type Drain = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<R> ResponseBody<R> {
    pub(crate) fn handled(body: R) -> Self {
        Self {
            handled: Some(body),
            problem: Bytes::new(),
            drain: None,
        }
    }

    pub(crate) fn rejected(problem: Bytes, drain: Option<Drain>) -> Self {
        Self {
            handled: None,
            problem,
            drain: drain.map(Mutex::new),
        }
    }
}

/// Creates an empty body, for a response that an outer layer creates.
impl<R> Default for ResponseBody<R> {
    fn default() -> Self {
        Self::rejected(Bytes::new(), None)
    }
}

impl<R: Body<Data = Bytes>> Body for ResponseBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let this = self.project();
        if let Some(body) = this.handled.as_pin_mut() {
            return body.poll_frame(cx);
        }
        if let Some(drain) = this.drain {
            let drain = drain.get_mut().unwrap_or_else(PoisonError::into_inner);
            ready!(drain.as_mut().poll(cx));
            *this.drain = None;
        }
        let problem = mem::take(this.problem);
        Poll::Ready((!problem.is_empty()).then(|| Ok(Frame::data(problem))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.handled {
            Some(body) => body.is_end_stream(),
            None => self.problem.is_empty() && self.drain.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.handled {
            Some(body) => body.size_hint(),
            // With a length of 0, the server would end the response before the drain.
            None if self.problem.is_empty() && self.drain.is_some() => SizeHint::default(),
            None => SizeHint::with_exact(self.problem.len() as u64),
        }
    }
}

impl<R> fmt::Debug for ResponseBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

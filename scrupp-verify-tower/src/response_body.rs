use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use scrupp_verify_core::adapter::Rest;

use crate::request::Frames;

pin_project! {
    /// The body of a response: the one that the service inside made, or that of a refusal.
    ///
    /// A refusal whose request was not read to its end reads the rest before it ends itself: its
    /// client gets the head at once, and then sends what is on its way without being reset.
    pub struct ResponseBody<R, B> {
        #[pin]
        kind: Kind<R, B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<R, B> {
        Handled { #[pin] body: R },
        Answered { problem: Bytes, rest: Option<Pin<Box<Rest<Frames<B>>>>> },
    }
}

impl<R, B> ResponseBody<R, B> {
    pub(crate) fn handled(body: R) -> Self {
        Self {
            kind: Kind::Handled { body },
        }
    }

    pub(crate) fn empty() -> Self {
        Self::refused(Bytes::new(), None)
    }

    pub(crate) fn refused(problem: Bytes, rest: Option<Rest<Frames<B>>>) -> Self {
        Self {
            // In a box, so that the body can be moved while it is read, as `lambda_http` does.
            kind: Kind::Answered {
                problem,
                rest: rest.map(Box::pin),
            },
        }
    }
}

impl<R, B> Body for ResponseBody<R, B>
where
    R: Body<Data = Bytes>,
    B: Body,
{
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.project().kind.project() {
            KindProjection::Handled { body } => body.poll_frame(cx),
            KindProjection::Answered { problem, rest } => {
                if let Some(unread) = rest {
                    ready!(unread.as_mut().poll(cx));
                    *rest = None;
                }
                let problem = mem::take(problem);
                Poll::Ready((!problem.is_empty()).then(|| Ok(Frame::data(problem))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Handled { body } => body.is_end_stream(),
            Kind::Answered { problem, rest } => problem.is_empty() && rest.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Handled { body } => body.size_hint(),
            // A length of 0 would end the response before the rest of the request is read.
            Kind::Answered { problem, rest } if problem.is_empty() && rest.is_some() => {
                SizeHint::default()
            }
            Kind::Answered { problem, .. } => SizeHint::with_exact(problem.len() as u64),
        }
    }
}

impl<R, B> fmt::Debug for ResponseBody<R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

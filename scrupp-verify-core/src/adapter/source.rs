use alloc::boxed::Box;
use core::{
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use pin_project_lite::pin_project;
use tokio::sync::futures::OwnedNotified;

use super::{Budget, Gate, deadline::Deadline};
use crate::RejectionKind;

/// A request's body, as a framework delivers it.
pub trait BodyStream {
    /// A piece of the body, on its own or in several parts.
    type Data: Buf;

    /// The next piece, `None` after the last, or [`Broken`] where the body broke off.
    ///
    /// Trailers are not part of the body: they end it.
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Self::Data, Broken>>>;

    /// Whether it is known without polling that nothing comes any more.
    fn is_end(&self) -> bool;
}

/// A body that broke off, or was framed wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "adapters make it, and it says all there is"
)]
pub struct Broken;

/// How many pieces may be read before the other tasks of the runtime get a turn.
pub(super) type Turns = Range<usize>;

/// For one poll.
pub(super) const TURNS: Turns = 0..32;

pin_project! {
    /// A body that is read within its time.
    #[project = SourceProjection]
    pub(super) struct Source<B> {
        #[pin]
        body: B,
        drainable_bytes: usize,
        deadline: Deadline,
        // In a box, since most bodies are there at once and need none.
        room: Option<Pin<Box<OwnedNotified>>>,
    }
}

impl<B: BodyStream> Source<B> {
    pub(super) fn new<R>(gate: &Gate<R>, body: B) -> Self {
        Self {
            body,
            drainable_bytes: gate.policy.body_limit,
            deadline: Deadline::after(gate.body_timeout),
            room: None,
        }
    }

    /// Whether it is known without polling that nothing comes any more.
    pub(super) fn is_end(&self) -> bool {
        self.body.is_end()
    }

    /// What is late, if the time is over.
    ///
    /// To be asked first of all, so that nothing more is hashed of a body whose time is over,
    /// however much of it the server has read already.
    pub(super) fn late(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Option<RejectionKind> {
        let this = self.project();
        let late = match this.room {
            Some(_) => RejectionKind::OverBudget,
            None => RejectionKind::BodyTimeout,
        };
        this.deadline.is_over(cx).then_some(late)
    }

    /// The next piece, once it may be held beside the `own` bytes that are held already, or the
    /// reason why there is none.
    pub(super) fn poll_piece(
        self: Pin<&mut Self>,
        budget: &Budget,
        own: usize,
        turns: &mut Turns,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<B::Data>, RejectionKind>> {
        let mut this = self.project();
        match ready!(this.poll_room(budget, own, cx)) {
            Ok(()) => this.poll_any(turns, cx),
            Err(late) => Poll::Ready(Err(late)),
        }
    }

    /// Reads away what is left, for as many bytes as the limit allows a good body: a connection
    /// that is closed with bytes unread is reset, and its client might never get to see the
    /// response.
    pub(super) fn poll_rest(
        self: Pin<&mut Self>,
        turns: &mut Turns,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut this = self.project();
        while let Ok(Some(piece)) = ready!(this.poll_any(turns, cx)) {
            match this.drainable_bytes.checked_sub(piece.remaining()) {
                Some(left) if !this.body.is_end() => *this.drainable_bytes = left,
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<B: BodyStream> SourceProjection<'_, B> {
    /// Waits until another piece may be held. After the last one nothing comes.
    fn poll_room(
        &mut self,
        budget: &Budget,
        own: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), RejectionKind>> {
        while !budget.has_room_beside(own) && !self.body.is_end() {
            let freed = self.room.get_or_insert_with(|| Box::pin(budget.freed()));
            if freed.as_mut().poll(cx).is_pending() {
                let late = self.deadline.poll(cx);
                return late.map(|()| Err(RejectionKind::OverBudget));
            }
            *self.room = None;
            // There may be room for another one, too.
            if budget.has_room_beside(own) {
                budget.wake_next();
            }
        }
        // Dropped, it hands on to the next one a wake-up that it was not asked about.
        *self.room = None;
        Poll::Ready(Ok(()))
    }

    fn poll_any(
        &mut self,
        turns: &mut Turns,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<B::Data>, RejectionKind>> {
        let piece = match turns.next() {
            Some(_) => self.body.as_mut().poll_piece(cx),
            None => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        };
        match piece {
            Poll::Ready(piece) => {
                let piece = piece.transpose();
                Poll::Ready(piece.map_err(|Broken| RejectionKind::BodyBroken))
            }
            Poll::Pending => {
                let late = self.deadline.poll(cx);
                late.map(|()| Err(RejectionKind::BodyTimeout))
            }
        }
    }
}

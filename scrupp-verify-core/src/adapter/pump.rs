use alloc::boxed::Box;
use core::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use pin_project_lite::pin_project;
use tokio::{
    sync::futures::OwnedNotified,
    time::{Sleep, sleep},
};

use super::intake::Intake;
use crate::{Rejection, RejectionKind, Verified};

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

/// How long and how far a body is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadingTerms {
    pub(super) timeout: Duration,
    pub(super) drainable_bytes: usize,
}

/// After how many pieces the other tasks of the runtime get a turn.
const PIECES_PER_POLL: usize = 32;

pin_project! {
    /// Moves a body to where it is verified or, once the delivery is refused, away.
    ///
    /// The rest of a refused body is read on, for as many bytes as the limit allows a good one: a
    /// connection that is closed with bytes unread is reset, and its client might never get to
    /// see the response.
    #[project = PumpProjection]
    pub(super) struct Pump<B> {
        terms: ReadingTerms,
        intake: Result<Intake, Rejection>,
        #[pin]
        body: B,
        // In boxes, since most bodies are there at once and need neither.
        room: Option<Pin<Box<OwnedNotified>>>,
        deadline: Option<Pin<Box<Sleep>>>,
        has_waited: bool,
    }
}

impl<B: BodyStream> Pump<B> {
    /// Reads `body` for the intake, or for nothing where the delivery is refused already.
    pub(super) fn new(terms: ReadingTerms, intake: Result<Intake, Rejection>, body: B) -> Self {
        Self {
            terms,
            intake,
            body,
            room: None,
            deadline: None,
            has_waited: false,
        }
    }
}

impl<B: BodyStream> PumpProjection<'_, B> {
    /// Waits until another piece may be held. What is only read away is not held, and after the
    /// last one nothing comes.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Ok(Intake { share, .. }) = self.intake else {
            return Poll::Ready(());
        };
        while !share.has_room() && !self.body.is_end() {
            let freed = self.room.get_or_insert_with(|| Box::pin(share.freed()));
            ready!(freed.as_mut().poll(cx));
            *self.room = None;
            // There may be room for another one, too; it finds out after this piece is counted.
            if share.has_room() {
                share.wake_next();
            }
        }
        // Dropped, it hands on to the next one a wake-up that it was not asked about.
        *self.room = None;
        Poll::Ready(())
    }
}

impl<B: BodyStream> Future for Pump<B> {
    type Output = Result<(Verified, Bytes), Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut pieces = 0..PIECES_PER_POLL;
        // First of all, so that nothing more is hashed of a body whose time is over.
        let deadline = this.deadline.as_mut();
        let is_late = deadline.is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready());
        let mut late = match *this.room {
            Some(_) => RejectionKind::OverBudget,
            None => RejectionKind::BodyTimeout,
        };
        let cut_off = loop {
            if is_late {
                break Some(late);
            }
            late = RejectionKind::OverBudget;
            if this.poll_room(cx).is_ready() {
                late = RejectionKind::BodyTimeout;
                match this.body.as_mut().poll_piece(cx) {
                    Poll::Ready(None) => break None,
                    Poll::Ready(Some(Err(Broken))) => break Some(RejectionKind::BodyBroken),
                    Poll::Ready(Some(Ok(piece))) => {
                        match this.intake {
                            Ok(intake) => {
                                if let Err(rejection) = intake.push(piece) {
                                    *this.intake = Err(rejection);
                                }
                            }
                            Err(_) => {
                                let left = this.terms.drainable_bytes;
                                match left.checked_sub(piece.remaining()) {
                                    Some(left) => this.terms.drainable_bytes = left,
                                    None => break Some(RejectionKind::BodyTooLarge),
                                }
                            }
                        }
                        if pieces.next().is_some() {
                            continue;
                        }
                        cx.waker().wake_by_ref();
                    }
                    Poll::Pending => {}
                }
            }
            // What a server has read with the head it hands over by the next poll, which is cheaper
            // than a timer.
            if !mem::replace(this.has_waited, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let timeout = this.terms.timeout;
            let deadline = this
                .deadline
                .get_or_insert_with(|| Box::pin(sleep(timeout)));
            ready!(deadline.as_mut().poll(cx));
            break Some(late);
        };
        let verdict = match (&mut *this.intake, cut_off) {
            (Err(rejection), _) => Err(*rejection),
            (Ok(_), Some(reason)) => Err(reason.into()),
            (Ok(intake), None) => intake.finish(),
        };
        // Dropped where it lies, so that its share of the budget is given back now.
        *this.intake = Err(RejectionKind::BodyBroken.into());
        Poll::Ready(verdict)
    }
}

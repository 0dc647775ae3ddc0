use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use pin_project_lite::pin_project;

use super::{
    BodyStream, Gate,
    intake::{Intake, Means},
    source::{Source, TURNS},
};
use crate::{Rejection, RejectionKind, Verified};

pin_project! {
    /// Moves a body to where it is verified or, once the delivery is refused, away.
    #[project = PumpProjection]
    pub(super) struct Pump<B> {
        intake: Result<Intake, Rejection>,
        #[pin]
        source: Source<B>,
    }
}

impl<B: BodyStream> Pump<B> {
    pub(super) fn new<R>(gate: &Gate<R>, intake: Intake, body: B) -> Self {
        Self {
            intake: Ok(intake),
            source: Source::new(gate, body),
        }
    }

    /// Goes on to the verdict, and after one that comes early to the end of the body.
    pub(super) fn poll(
        self: Pin<&mut Self>,
        means: Means<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Verified, Bytes), Rejection>> {
        let mut this = self.project();
        let verdict = match this.source.as_mut().late(cx) {
            None => ready!(this.poll_in_time(means, cx)),
            Some(late) => Err(match this.intake {
                Ok(_) => late.into(),
                Err(rejection) => *rejection,
            }),
        };
        // Dropped where it lies, so that its share of the budget is given back now.
        *this.intake = Err(RejectionKind::BodyBroken.into());
        Poll::Ready(verdict)
    }
}

impl<B: BodyStream> PumpProjection<'_, B> {
    fn poll_in_time(
        &mut self,
        means: Means<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Verified, Bytes), Rejection>> {
        let mut source = self.source.as_mut();
        let mut turns = TURNS;
        loop {
            let intake = match self.intake {
                Ok(intake) => intake,
                Err(rejection) => {
                    ready!(source.as_mut().poll_rest(&mut turns, cx));
                    return Poll::Ready(Err(*rejection));
                }
            };
            let held = intake.held_bytes();
            let piece = source
                .as_mut()
                .poll_piece(means.budget, held, &mut turns, cx);
            let taken = match piece {
                Poll::Ready(Ok(Some(piece))) => match intake.push(means, piece) {
                    // Known sooner than by another poll, where the body's length is.
                    Ok(()) if source.is_end() => return Poll::Ready(intake.finish(means)),
                    taken => taken,
                },
                Poll::Ready(Ok(None)) => return Poll::Ready(intake.finish(means)),
                Poll::Ready(Err(reason)) => return Poll::Ready(Err(reason.into())),
                Poll::Pending => match intake.hold(means) {
                    Ok(()) => return Poll::Pending,
                    refused => refused,
                },
            };
            if let Err(rejection) = taken {
                *self.intake = Err(rejection);
            }
        }
    }
}

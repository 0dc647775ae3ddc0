use alloc::boxed::Box;
use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use pin_project_lite::pin_project;

use super::{
    BodyStream, Gate, HeldClaim,
    claims::{Claimed, Claiming},
    intake::{Intake, Whose},
    log,
    pump::Pump,
    source::{Source, TURNS},
};
use crate::{Account, Candidate, Rejection, RejectionKind, Verified};

pub(super) type LookupFuture =
    Pin<Box<dyn Future<Output = Result<Option<Account>, RejectionKind>> + Send>>;

pin_project! {
    /// A delivery on its way from its head to the handler, or to its refusal.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, it leaves nothing behind: what it has claimed is released.
    #[must_use = "a reception does nothing unless polled"]
    pub struct Reception<B> {
        #[pin]
        stage: Stage<B>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<B> {
        LookingUp { lookup: LookupFuture, head: Option<(Candidate, B)> },
        Reading { #[pin] pump: Pump<B> },
        Claiming { claiming: Claiming, verified: Verified, body: Bytes },
        Refusing { rejection: Rejection, unread: Option<B> },
    }
}

/// What becomes of a delivery.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an adapter has to act on each of them"
)]
pub enum Outcome<B> {
    /// The handler is to run.
    Handle(Admitted),
    /// The handler has run already: 200, with an empty body.
    Acknowledged,
    /// The handler is not to run.
    Refuse(Refused<B>),
}

/// A verified delivery for the handler.
#[derive(Debug)]
#[non_exhaustive]
pub struct Admitted {
    /// The proof.
    pub verified: Verified,
    /// The body that was verified, not copied if it came in one piece.
    pub body: Bytes,
    /// The claim to settle by the handler's answer, where deliveries are handled once.
    pub claim: Option<HeldClaim>,
}

/// A refused delivery.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused<B> {
    /// The reason.
    pub rejection: Rejection,
    /// What is still to be read of the body, behind the head of the response.
    pub rest: Option<Rest<B>>,
}

impl<B: BodyStream> Reception<B> {
    pub(super) fn looking_up(lookup: LookupFuture, candidate: Candidate, body: B) -> Self {
        let head = Some((candidate, body));
        Self {
            stage: Stage::LookingUp { lookup, head },
        }
    }

    pub(super) fn reading<R>(gate: &Gate<R>, intake: Intake, body: B) -> Self {
        Self {
            stage: Stage::reading(gate, intake, body),
        }
    }

    pub(super) fn refusing(rejection: Rejection, unread: Option<B>) -> Self {
        Self {
            stage: Stage::refusing(rejection, unread),
        }
    }

    /// Goes on, as a future does, by the settings of the gate that it comes from: with another one
    /// it would be verified with that one's secrets.
    pub fn poll<R>(self: Pin<&mut Self>, gate: &Gate<R>, cx: &mut Context<'_>) -> Poll<Outcome<B>> {
        let mut this = self.project();
        loop {
            let next = match this.stage.as_mut().project() {
                StageProjection::LookingUp { lookup, head } => {
                    let found = ready!(lookup.as_mut().poll(cx));
                    let Some((candidate, body)) = head.take() else {
                        return Poll::Pending;
                    };
                    match found {
                        Ok(found) => {
                            let whose = Whose::Found(Box::new(found));
                            Stage::reading(gate, Intake::new(candidate, whose), body)
                        }
                        Err(kind) => Stage::refusing(kind, Some(body)),
                    }
                }
                StageProjection::Reading { pump } => match ready!(pump.poll(gate.means(), cx)) {
                    Ok((verified, body)) => match &gate.dedup {
                        Some(dedup) => Stage::Claiming {
                            claiming: dedup.claim(&verified, &body, gate.policy.tolerance),
                            verified,
                            body,
                        },
                        None => return handle(verified, body, None),
                    },
                    Err(rejection) => Stage::refusing(rejection, None),
                },
                StageProjection::Claiming {
                    claiming,
                    verified,
                    body,
                } => match ready!(Pin::new(claiming).poll(cx)) {
                    Claimed::Granted(claim) => {
                        return handle(*verified, mem::take(body), Some(claim));
                    }
                    Claimed::Acknowledged => return Poll::Ready(Outcome::Acknowledged),
                    Claimed::InFlight => Stage::refusing(RejectionKind::InFlight, None),
                    Claimed::Unknown => Stage::refusing(RejectionKind::StoreUnavailable, None),
                },
                StageProjection::Refusing { rejection, unread } => {
                    log::rejected(rejection);
                    let unread = unread.take().filter(|body| !body.is_end());
                    return Poll::Ready(Outcome::Refuse(Refused {
                        rejection: *rejection,
                        rest: unread.map(|body| Rest {
                            source: Source::new(gate, body),
                        }),
                    }));
                }
            };
            this.stage.set(next);
        }
    }
}

impl<B: BodyStream> Stage<B> {
    fn reading<R>(gate: &Gate<R>, intake: Intake, body: B) -> Self {
        Self::Reading {
            pump: Pump::new(gate, intake, body),
        }
    }

    fn refusing(reason: impl Into<Rejection>, unread: Option<B>) -> Self {
        Self::Refusing {
            rejection: reason.into(),
            unread,
        }
    }
}

fn handle<B>(verified: Verified, body: Bytes, claim: Option<HeldClaim>) -> Poll<Outcome<B>> {
    Poll::Ready(Outcome::Handle(Admitted {
        verified,
        body,
        claim,
    }))
}

impl<B> fmt::Debug for Reception<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reception").finish_non_exhaustive()
    }
}

pin_project! {
    /// The rest of a refused body: a future that ends when it is read, for as many bytes as the
    /// limit allows a good one, and for as long.
    #[must_use = "futures do nothing unless polled"]
    pub struct Rest<B> {
        #[pin]
        source: Source<B>,
    }
}

impl<B: BodyStream> Future for Rest<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut source = self.project().source;
        if source.as_mut().late(cx).is_some() {
            return Poll::Ready(());
        }
        source.poll_rest(&mut { TURNS }, cx)
    }
}

impl<B> fmt::Debug for Rest<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").finish_non_exhaustive()
    }
}

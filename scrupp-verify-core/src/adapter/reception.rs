use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use pin_project_lite::pin_project;

use super::{
    BodyStream, Budget, Dedup, HeldClaim,
    claims::{Claimed, Claiming},
    intake::Intake,
    log,
    pump::{Pump, ReadingTerms},
};
use crate::{Account, Candidate, Delivery, Keyring, Rejection, RejectionKind, Tolerance, Verified};

/// What a reception goes by.
pub(super) struct Terms {
    pub(super) reading: ReadingTerms,
    pub(super) budget: Budget,
    pub(super) tolerance: Tolerance,
    pub(super) dedup: Option<Arc<Dedup>>,
}

pub(super) type LookupFuture =
    Pin<Box<dyn Future<Output = Result<Option<Account>, RejectionKind>> + Send>>;

pin_project! {
    /// A delivery on its way from its head to the handler, or to its refusal.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, it leaves nothing behind: what it has claimed is released.
    #[must_use = "futures do nothing unless polled"]
    pub struct Reception<B> {
        terms: Terms,
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
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart as soon as it is made"
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
    pub(super) fn look_up(
        terms: Terms,
        candidate: Candidate,
        lookup: LookupFuture,
        body: B,
    ) -> Self {
        let head = Some((candidate, body));
        Self {
            terms,
            stage: Stage::LookingUp { lookup, head },
        }
    }

    pub(super) fn read(terms: Terms, delivery: Delivery<Arc<Keyring>>, body: B) -> Self {
        let stage = Stage::reading(&terms, delivery, body);
        Self { terms, stage }
    }

    pub(super) fn refuse(terms: Terms, rejection: Rejection, unread: Option<B>) -> Self {
        Self {
            terms,
            stage: Stage::Refusing { rejection, unread },
        }
    }
}

impl<B: BodyStream> Stage<B> {
    fn reading(terms: &Terms, delivery: Delivery<Arc<Keyring>>, body: B) -> Self {
        let intake = Intake::new(delivery, terms.budget.share());
        let pump = Pump::new(terms.reading, Ok(intake), body);
        Self::Reading { pump }
    }

    fn refusing(reason: impl Into<Rejection>, unread: Option<B>) -> Self {
        Self::Refusing {
            rejection: reason.into(),
            unread,
        }
    }
}

impl<B: BodyStream> Future for Reception<B> {
    type Output = Outcome<B>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<B>> {
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
                            let delivery = candidate.begin_found(found, Arc::new);
                            Stage::reading(this.terms, delivery, body)
                        }
                        Err(kind) => Stage::refusing(kind, Some(body)),
                    }
                }
                StageProjection::Reading { pump } => match ready!(pump.poll(cx)) {
                    Ok((verified, body)) => match &this.terms.dedup {
                        Some(dedup) => Stage::Claiming {
                            claiming: dedup.claim(&verified, &body, this.terms.tolerance),
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
                            pump: Pump::new(this.terms.reading, Err(*rejection), body),
                        }),
                    }));
                }
            };
            this.stage.set(next);
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
        pump: Pump<B>,
    }
}

impl<B: BodyStream> Future for Rest<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // It can only end in the rejection that is known already.
        self.project().pump.poll(cx).map(drop)
    }
}

impl<B> fmt::Debug for Rest<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").finish_non_exhaustive()
    }
}

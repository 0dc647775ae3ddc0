use alloc::boxed::Box;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use pin_project_lite::pin_project;

use super::{BodyStream, intake::Intake, log::log_rejected, pump::Pump};
use crate::{Account, Candidate, Delivery, Rejection, RejectionKind, Verified};

/// How long and how far a body is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) timeout: Duration,
    pub(super) drainable_bytes: usize,
}

pub(super) type LookupFuture =
    Pin<Box<dyn Future<Output = Result<Option<Account>, RejectionKind>> + Send>>;

pin_project! {
    /// A delivery on its way from its head to the handler, or to its refusal.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, it leaves nothing behind.
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
        Refusing { rejection: Rejection, unread: Option<B> },
    }
}

/// A verified delivery for the handler.
#[derive(Debug)]
#[non_exhaustive]
pub struct Admitted {
    /// The proof.
    pub verified: Verified,
    /// The body that was verified, not copied if it came in one piece.
    pub body: Bytes,
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

    pub(super) fn read(terms: Terms, delivery: Delivery, body: B) -> Self {
        Self {
            terms,
            stage: Stage::reading(terms, delivery, body),
        }
    }

    pub(super) fn refuse(terms: Terms, rejection: Rejection, unread: Option<B>) -> Self {
        Self {
            terms,
            stage: Stage::Refusing { rejection, unread },
        }
    }
}

impl<B: BodyStream> Stage<B> {
    fn reading(terms: Terms, delivery: Delivery, body: B) -> Self {
        let pump = Pump::new(terms, Ok(Intake::new(delivery)), body);
        Self::Reading { pump }
    }
}

impl<B: BodyStream> Future for Reception<B> {
    type Output = Result<Admitted, Refused<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.stage.as_mut().project() {
                StageProjection::LookingUp { lookup, head } => {
                    let found = ready!(lookup.as_mut().poll(cx));
                    let Some((candidate, body)) = head.take() else {
                        return Poll::Pending;
                    };
                    let terms = *this.terms;
                    match found {
                        Ok(Some(account)) => {
                            Stage::reading(terms, candidate.begin_for(account), body)
                        }
                        Ok(None) => Stage::reading(terms, candidate.begin_unknown(), body),
                        Err(kind) => Stage::Refusing {
                            rejection: kind.into(),
                            unread: Some(body),
                        },
                    }
                }
                StageProjection::Reading { pump } => match ready!(pump.poll(cx)) {
                    Ok((verified, body)) => return Poll::Ready(Ok(Admitted { verified, body })),
                    Err(rejection) => Stage::Refusing {
                        rejection,
                        unread: None,
                    },
                },
                StageProjection::Refusing { rejection, unread } => {
                    log_rejected(rejection);
                    let unread = unread.take().filter(|body| !body.is_end());
                    return Poll::Ready(Err(Refused {
                        rejection: *rejection,
                        rest: unread.map(|body| Rest {
                            pump: Pump::new(*this.terms, Err(*rejection), body),
                        }),
                    }));
                }
            };
            this.stage.set(next);
        }
    }
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

use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt::{self, Display},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{Intake, log::log_lookup_failed};
use crate::{
    Account, Candidate, Clock, Keyring, Policy, Rejection, RejectionKind, RequestHead, UnixTime,
};

/// The settings of an adapter, and its decisions about a request's head.
///
/// `R` is what the framework shows a secret lookup of a request.
pub struct Gate<R> {
    secrets: Secrets<R>,
    /// The tolerance and the body limit.
    pub policy: Policy,
    /// How long a body may take from its head to its end, by default 10 s.
    pub body_timeout: Duration,
    /// Where the time comes from, by default [`UnixTime::now`].
    pub clock: Arc<dyn Clock + Send + Sync>,
}

#[expect(clippy::large_enum_variant, reason = "the large one is the common one")]
enum Secrets<R> {
    Fixed(Keyring),
    LookedUp(Arc<dyn Fn(&R) -> LookupFuture + Send + Sync>),
}

type LookupFuture = Pin<Box<dyn Future<Output = Result<Option<Account>, RejectionKind>> + Send>>;

impl<R> Gate<R> {
    /// Verifies with these secrets.
    #[must_use]
    pub fn new(keyring: impl Into<Keyring>) -> Self {
        Self::with(Secrets::Fixed(keyring.into()))
    }

    /// Verifies with the secrets of the account that `lookup` finds for a request.
    #[must_use]
    pub fn with_secrets<F, Fut, E>(lookup: F) -> Self
    where
        F: Fn(&R) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Account>, E>> + Send + 'static,
        E: Display,
    {
        Self::with(Secrets::LookedUp(Arc::new(move |request| {
            let lookup = lookup(request);
            Box::pin(async move {
                lookup.await.map_err(|error| {
                    log_lookup_failed(&error);
                    RejectionKind::SecretsUnavailable
                })
            })
        })))
    }

    fn with(secrets: Secrets<R>) -> Self {
        Self {
            secrets,
            policy: Policy::default(),
            body_timeout: Duration::from_secs(10),
            clock: Arc::new(UnixTime::now),
        }
    }

    /// Decides all that the head can decide; only then a secret is looked up, if it has to be.
    ///
    /// # Errors
    ///
    /// What [`Policy::admit`] refuses, and [`RejectionKind::ClockUnavailable`].
    pub fn open<H>(&self, head: &H, request: &R) -> Result<Opening, Rejection>
    where
        H: RequestHead + ?Sized,
    {
        let now = self.clock.now().ok_or(RejectionKind::ClockUnavailable)?;
        let candidate = self.policy.admit(head, now)?;
        Ok(Opening(match &self.secrets {
            Secrets::Fixed(keyring) => Stage::Ready(Intake::new(candidate.begin(keyring.clone()))),
            Secrets::LookedUp(lookup) => Stage::Lookup(lookup(request), candidate),
        }))
    }
}

impl<R> Clone for Gate<R> {
    fn clone(&self) -> Self {
        Self {
            secrets: match &self.secrets {
                Secrets::Fixed(keyring) => Secrets::Fixed(keyring.clone()),
                Secrets::LookedUp(lookup) => Secrets::LookedUp(Arc::clone(lookup)),
            },
            policy: self.policy,
            body_timeout: self.body_timeout,
            clock: Arc::clone(&self.clock),
        }
    }
}

impl<R> fmt::Debug for Gate<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("policy", &self.policy)
            .field("body_timeout", &self.body_timeout)
            .finish_non_exhaustive()
    }
}

/// A head that was let in, and a future of the [`Intake`] for its body.
///
/// Waits only where secrets are looked up. Polled after completion, it stays pending.
#[must_use = "futures do nothing unless polled"]
pub struct Opening(Stage);

#[expect(clippy::large_enum_variant, reason = "the large one is the common one")]
enum Stage {
    Ready(Intake),
    Lookup(LookupFuture, Candidate),
    Done,
}

impl Future for Opening {
    type Output = Result<Intake, Rejection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let account = match &mut self.0 {
            Stage::Lookup(lookup, _) => ready!(lookup.as_mut().poll(cx))?,
            Stage::Ready(_) | Stage::Done => None,
        };
        match mem::replace(&mut self.0, Stage::Done) {
            Stage::Ready(intake) => Poll::Ready(Ok(intake)),
            Stage::Lookup(_, candidate) => Poll::Ready(Ok(Intake::new(match account {
                Some(account) => candidate.begin_for(account),
                None => candidate.begin_unknown(),
            }))),
            Stage::Done => Poll::Pending,
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt::{self, Display},
    time::Duration,
};

use super::{
    BodyStream, Budget, Dedup, Reception,
    intake::{Intake, Means, Whose},
    log,
    reception::LookupFuture,
};
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
    /// How many bytes of bodies that are not verified are held at once, by default 64 MiB.
    pub buffer_budget: Budget,
    /// Where the time comes from, by default [`UnixTime::now`].
    pub clock: Arc<dyn Clock + Send + Sync>,
    /// How each delivery is handled once; by default it is handled as often as it comes.
    pub dedup: Option<Dedup>,
}

#[expect(clippy::large_enum_variant, reason = "there is one for each gate")]
enum Secrets<R> {
    Fixed(Keyring),
    LookedUp(Arc<dyn Fn(&R) -> LookupFuture + Send + Sync>),
}

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
                    log::lookup_failed(&error);
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
            buffer_budget: Budget::new(64 * 1024 * 1024),
            clock: Arc::new(UnixTime::now),
            dedup: None,
        }
    }

    /// Receives a delivery: decides all that the head can decide at once, and the rest as the
    /// reception is polled. Not a byte of the body is read before the head is found to be good.
    pub fn receive<H, B>(&self, head: &H, request: &R, body: B) -> Reception<B>
    where
        H: RequestHead + ?Sized,
        B: BodyStream,
    {
        match (self.admit(head), &self.secrets) {
            (Ok(candidate), Secrets::Fixed(_)) => {
                Reception::reading(self, Intake::new(candidate, Whose::Own), body)
            }
            (Ok(candidate), Secrets::LookedUp(lookup)) => {
                Reception::looking_up(lookup(request), candidate, body)
            }
            (Err(rejection), _) => {
                // A client that waits to be asked for its body is not asked any more.
                let waits = head.values("expect").next().is_some();
                Reception::refusing(rejection, (!waits).then_some(body))
            }
        }
    }

    pub(super) fn means(&self) -> Means<'_> {
        Means {
            keyring: match &self.secrets {
                Secrets::Fixed(keyring) => Some(keyring),
                Secrets::LookedUp(_) => None,
            },
            budget: &self.buffer_budget,
        }
    }

    fn admit<H>(&self, head: &H) -> Result<Candidate, Rejection>
    where
        H: RequestHead + ?Sized,
    {
        let now = self.clock.now().ok_or(RejectionKind::ClockUnavailable)?;
        self.policy.admit(head, now)
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
            buffer_budget: self.buffer_budget.clone(),
            clock: Arc::clone(&self.clock),
            dedup: self.dedup.clone(),
        }
    }
}

impl<R> fmt::Debug for Gate<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("policy", &self.policy)
            .field("body_timeout", &self.body_timeout)
            .field("buffer_budget", &self.buffer_budget)
            .finish_non_exhaustive()
    }
}

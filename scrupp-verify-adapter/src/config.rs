use core::{
    fmt::{self, Display},
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{panic, sync::Arc};

use scrupp_verify_core::{
    Account, Clock, Headers, Keyring, Policy, Rejection, RejectionKind, UnixTime, UnverifiedHead,
};
use tokio::{runtime::Handle, sync::Semaphore, time::sleep};

use crate::{Budget, Observer, SharedKeyring, claims::Dedup, log, observer::Reporter};

/// The settings of an adapter.
///
/// `R` is the request type that the framework passes to an account lookup. `F` creates the response to
/// a rejection.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config<R, F> {
    pub(crate) secrets: Secrets<R>,
    /// True once a request has found a timer, so later requests do not check again.
    has_timer: Arc<AtomicBool>,
    /// The tolerance for timestamps, and the body limit.
    pub policy: Policy,
    /// The time within which a body must be complete. 10 s by default.
    pub body_timeout: Duration,
    /// The budget for unverified bodies. 64 MiB by default.
    pub buffer_budget: Budget,
    /// The clock. The system clock by default.
    pub clock: Arc<dyn Clock + Send + Sync>,
    /// The store for acknowledged deliveries. By default `None`: the handler runs for every delivery.
    pub dedup: Option<Dedup>,
    pub(crate) reporter: Reporter,
    /// The function that creates the response to a rejection.
    pub on_rejection: F,
}

#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "each adapter has only one")]
pub(crate) enum Secrets<R> {
    OneAccount(SharedKeyring),
    LookedUp {
        lookup: Arc<dyn Fn(&R) -> Lookup + Send + Sync>,
        unknown: Keyring,
        /// One permit for each lookup that may run.
        running: Arc<Semaphore>,
    },
}

/// The number of account lookups that may run at once, so that a flood of requests does not exhaust a
/// database. Other lookups wait in the order of their arrival.
const MAX_LOOKUPS: usize = 64;

type Lookup = Pin<Box<dyn Future<Output = Result<Option<Box<Account>>, RejectionKind>> + Send>>;

impl<R, F> Config<R, F> {
    /// Creates the default settings with the secrets of one account.
    #[must_use]
    pub fn new(keyring: impl Into<SharedKeyring>, on_rejection: F) -> Self {
        Self::with_secrets(Secrets::OneAccount(keyring.into()), on_rejection)
    }

    /// Creates the default settings with a function that looks up the account of each request.
    ///
    /// At most 64 lookups run at once. A lookup has the same timeout as a body.
    #[must_use]
    pub fn with_account_lookup<L, Fut, E>(lookup: L, on_rejection: F) -> Self
    where
        L: Fn(&R) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Account>, E>> + Send + 'static,
        E: Display,
    {
        let lookup = move |request: &R| -> Lookup {
            let lookup = lookup(request);
            Box::pin(async move {
                let found = lookup.await.map_err(|error| {
                    log::failed("the account lookup failed", &error);
                    RejectionKind::SecretsUnavailable
                });
                Ok(found?.map(Box::new))
            })
        };
        let secrets = Secrets::LookedUp {
            lookup: Arc::new(lookup),
            unknown: Keyring::of_unknown_account(),
            running: Arc::new(Semaphore::new(MAX_LOOKUPS)),
        };
        Self::with_secrets(secrets, on_rejection)
    }

    fn with_secrets(secrets: Secrets<R>, on_rejection: F) -> Self {
        Self {
            secrets,
            has_timer: Arc::default(),
            policy: Policy::default(),
            body_timeout: Duration::from_secs(10),
            buffer_budget: Budget::new(64 * 1024 * 1024),
            clock: Arc::new(UnixTime::now),
            dedup: None,
            reporter: Reporter::default(),
            on_rejection,
        }
    }

    /// Sets the observer. By default, there is none.
    pub fn observe(&mut self, observer: impl Observer) {
        self.reporter = Reporter::new(observer);
    }

    /// Checks everything that needs neither a secret nor the body: the runtime, the clock, the two
    /// headers, the age of the timestamp and the declared length.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] with the status 401, 413 or 503.
    pub fn check_head<H: Headers + ?Sized>(
        &self,
        headers: &H,
    ) -> Result<UnverifiedHead, Rejection> {
        if !self.has_timer() {
            return Err(RejectionKind::RuntimeUnavailable.into());
        }
        let now = self.clock.now().ok_or(RejectionKind::ClockUnavailable)?;
        self.policy.check_head(headers, now)
    }

    /// Returns whether the current thread is in a Tokio runtime that has a timer.
    fn has_timer(&self) -> bool {
        if Handle::try_current().is_err() {
            return false;
        }
        // Without a timer, `sleep` panics. Tokio has no other way to check for one.
        let has_timer = self.has_timer.load(Ordering::Relaxed)
            || panic::catch_unwind(|| sleep(Duration::ZERO)).is_ok();
        self.has_timer.store(has_timer, Ordering::Relaxed);
        has_timer
    }
}

impl<R, F> fmt::Debug for Config<R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("policy", &self.policy)
            .field("body_timeout", &self.body_timeout)
            .field("buffer_budget", &self.buffer_budget)
            .finish_non_exhaustive()
    }
}

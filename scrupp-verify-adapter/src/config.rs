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

/// An adapter's settings. `R` is a request as its framework shows it to an account lookup; `F`
/// makes the response to a rejection.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config<R, F> {
    pub(crate) secrets: Secrets<R>,
    /// Set once a request has found a timer. Later requests do not look again.
    has_timer: Arc<AtomicBool>,
    /// The window that timestamps are accepted in, and the body limit.
    pub policy: Policy,
    /// How long a body may take until it is complete.
    pub body_timeout: Duration,
    /// How many bytes of unverified bodies may be held at once.
    pub buffer_budget: Budget,
    /// The clock.
    pub clock: Arc<dyn Clock + Send + Sync>,
    /// How each delivery is handled once; `None` runs the handler for every delivery.
    pub dedup: Option<Dedup>,
    pub(crate) reporter: Reporter,
    /// Makes the response to a rejection.
    pub on_rejection: F,
}

#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one for each adapter")]
pub(crate) enum Secrets<R> {
    OneAccount(SharedKeyring),
    LookedUp {
        lookup: Arc<dyn Fn(&R) -> Lookup + Send + Sync>,
        unknown: Keyring,
        /// One permit for each lookup that may run.
        running: Arc<Semaphore>,
    },
}

/// How many account lookups run at once: a flood of requests must not open as many connections to a
/// database. Others wait, in the order of their arrival.
const MAX_LOOKUPS: usize = 64;

type Lookup = Pin<Box<dyn Future<Output = Result<Option<Box<Account>>, RejectionKind>> + Send>>;

impl<R, F> Config<R, F> {
    /// Creates the default settings, with the secrets of one account.
    #[must_use]
    pub fn new(keyring: impl Into<SharedKeyring>, on_rejection: F) -> Self {
        Self::with_secrets(Secrets::OneAccount(keyring.into()), on_rejection)
    }

    /// Creates the default settings, with the secrets of the account that `lookup` finds for a
    /// request.
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

    /// Sets the observer, by default none.
    pub fn observe(&mut self, observer: impl Observer) {
        self.reporter = Reporter::new(observer);
    }

    /// Checks everything that needs neither a secret nor the body: the runtime, the clock, the two
    /// headers, the window and the declared length.
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
        // Tokio tells of a timer that is not enabled only by a panic.
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

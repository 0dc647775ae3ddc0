use core::{fmt, panic::AssertUnwindSafe, time::Duration};
use std::{
    panic::catch_unwind,
    sync::{Arc, OnceLock},
};

use scrupp_verify_core::{AccountId, Rejection, Verified};
use tokio::time::Instant;

use crate::log;

/// A function that an adapter calls with each [`Observation`], for counts and measurements.
///
/// Any `Fn(&Observation<'_>)` is an observer. The delivery waits for each call, so an observer should
/// return at once. If an observer panics, the panic is logged, and the delivery is not affected.
///
/// # Examples
///
/// Counts the duplicates:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use scrupp_verify_adapter::{Observation, Observer};
///
/// static DUPLICATES: AtomicU64 = AtomicU64::new(0);
///
/// fn observer() -> impl Observer {
///     |observation: &Observation<'_>| {
///         if let Observation::Duplicate { .. } = observation {
///             DUPLICATES.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Called once for each observation.
    fn observe(&self, observation: &Observation<'_>);
}

impl<F: Fn(&Observation<'_>) + Send + Sync + 'static> Observer for F {
    fn observe(&self, observation: &Observation<'_>) {
        self(observation);
    }
}

/// A report from an adapter to its [`Observer`]: a step of a delivery, an operation of the store, or a
/// change in the budget.
///
/// Each adapter reports a delivery at most once as `Handled`, `HandlerDropped`, `Duplicate` or
/// `Rejected`. If two adapters wrap one handler, only the adapter that detects a duplicate reports it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Observation<'o> {
    /// A delivery was verified. The claim, if there is a store, comes next.
    #[non_exhaustive]
    Verified {
        /// The proof.
        verified: &'o Verified,
        /// The length of the body, in bytes.
        body_bytes: usize,
        /// The time from the headers to the proof, including the account lookup and the body.
        time: Duration,
    },
    /// A handler responded, or failed without a response.
    #[non_exhaustive]
    Handled {
        /// The proof.
        verified: &'o Verified,
        /// The status of the response, if there is one.
        status: Option<u16>,
        /// True if the status is a 2xx, which acknowledges the delivery.
        is_success: bool,
        /// The time that the handler took.
        time: Duration,
    },
    /// A handler panicked, or was dropped before it responded, because the client disconnected, an outer
    /// timeout expired, or the server shut down.
    #[non_exhaustive]
    HandlerDropped {
        /// The proof.
        verified: &'o Verified,
        /// The time that the handler ran.
        time: Duration,
    },
    /// A delivery had already been acknowledged, so its handler did not run.
    #[non_exhaustive]
    Duplicate {
        /// The proof.
        verified: &'o Verified,
    },
    /// A delivery was rejected.
    #[non_exhaustive]
    Rejected {
        /// The reason.
        rejection: &'o Rejection,
        /// The account, if one was looked up and found. A rejected delivery may be forged.
        account: Option<AccountId>,
    },
    /// An operation of the store ended or timed out.
    #[non_exhaustive]
    Store {
        /// The operation.
        operation: StoreOperation,
        /// The result.
        result: StoreResult,
        /// The time that the operation took.
        time: Duration,
    },
    /// A handler took longer than its lease, and the delivery was claimed again. The delivery may have
    /// been handled twice.
    #[non_exhaustive]
    LeaseLost,
    /// A delivery reserved or released a part of the budget for unverified bodies.
    #[non_exhaustive]
    UnverifiedBytes {
        /// The change in bytes. Negative for a release.
        change: i64,
    },
    /// An adapter received its first request, or was dropped after that. The sum of all changes is the
    /// total budget of the process.
    #[non_exhaustive]
    UnverifiedBytesLimit {
        /// The change in bytes. Negative if an adapter was dropped.
        change: i64,
    },
}

/// An operation of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreOperation {
    /// Claims a delivery before its handler runs.
    Claim,
    /// Acknowledges a delivery after its handler succeeded.
    Commit,
    /// Releases a claim.
    Release,
}

impl StoreOperation {
    /// Returns a name for logs and metrics, such as `claim`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Commit => "commit",
            Self::Release => "release",
        }
    }
}

/// The result of an operation of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreResult {
    /// The operation succeeded. A claim that is not granted is a success too.
    Ok,
    /// The store returned an error.
    Failed,
    /// The operation took longer than the store timeout.
    TimedOut,
}

impl StoreResult {
    /// Returns a name for logs and metrics, such as `timed_out`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

/// The observer of an adapter, if it has one. Clones share the observer.
#[derive(Clone, Default)]
pub(crate) struct Reporter(Option<Arc<Shared>>);

struct Shared {
    observer: Box<dyn Observer>,
    /// The budget that was reported, in bytes.
    limit: OnceLock<i64>,
}

/// A running measurement. `None` without an observer. Boxed to keep the future of each request small.
pub(crate) struct Started(Option<Box<(Arc<Shared>, Instant)>>);

impl Reporter {
    pub(crate) fn new(observer: impl Observer) -> Self {
        Self(Some(Arc::new(Shared {
            observer: Box::new(observer),
            limit: OnceLock::new(),
        })))
    }

    /// Reports an observation. Without an observer, `observation` is not called.
    #[inline]
    pub(crate) fn report<'o>(&self, observation: impl FnOnce() -> Observation<'o>) {
        if let Some(shared) = &self.0 {
            shared.report(&observation());
        }
    }

    /// Reports the limit of unverified bytes, once.
    pub(crate) fn report_limit(&self, bytes: usize) {
        if let Some(shared) = &self.0 {
            shared.limit.get_or_init(|| {
                let change = i64::try_from(bytes).unwrap_or(i64::MAX);
                shared.report(&Observation::UnverifiedBytesLimit { change });
                change
            });
        }
    }

    /// Reads the clock, if there is an observer.
    pub(crate) fn start(&self) -> Started {
        let start = |shared: &Arc<Shared>| Box::new((Arc::clone(shared), Instant::now()));
        Started(self.0.as_ref().map(start))
    }
}

impl Started {
    /// Reads the clock again.
    pub(crate) fn restart(&mut self) {
        if let Some(started) = &mut self.0 {
            started.1 = Instant::now();
        }
    }

    /// Reports an observation with the time since the start.
    pub(crate) fn report<'o>(&self, observation: impl FnOnce(Duration) -> Observation<'o>) {
        if let Some((shared, at)) = self.0.as_deref() {
            shared.report(&observation(at.elapsed()));
        }
    }
}

impl Shared {
    fn report(&self, observation: &Observation<'_>) {
        let observe = AssertUnwindSafe(|| self.observer.observe(observation));
        if catch_unwind(observe).is_err() {
            log::error("the observer panicked");
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(limit) = self.limit.get() {
            self.report(&Observation::UnverifiedBytesLimit { change: -limit });
        }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reporter").field(&self.0.is_some()).finish()
    }
}

use core::{
    fmt::{self, Display},
    pin::Pin,
    time::Duration,
};
use std::sync::Arc;

use bytes::Bytes;
pub use scrupp_verify_core::dedup::Claimed;
pub(crate) use scrupp_verify_core::dedup::DeliveryId;
use scrupp_verify_core::{
    ConfigError, Rejection, RejectionKind, Tolerance, VerifiedDelivery,
    dedup::{Claim, ClaimToken, DeliveryStore},
};
use tokio::{runtime::Handle, time::timeout};

use crate::{
    log,
    observer::{Observation, Reporter, StoreOperation, StoreResult},
};

/// A [`DeliveryStore`] and the settings with which an adapter claims deliveries in it.
///
/// Any store can be converted to a `Dedup` with default settings.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use scrupp_verify_adapter::Dedup;
/// use scrupp_verify_core::{ConfigError, Tolerance, dedup::MemoryStore};
///
/// # fn main() -> Result<(), ConfigError> {
/// let dedup = Dedup::new(MemoryStore::default())
///     .scope("crm")
///     .lease(Duration::from_secs(30))
///     .retention(Duration::from_secs(3600), Tolerance::default())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Dedup {
    store: Store,
    id: Arc<IdFunction>,
    scope: Option<Arc<[u8]>>,
    lease: Duration,
    retention: Duration,
}

type IdFunction = dyn Fn(&VerifiedDelivery<Bytes>) -> DeliveryId + Send + Sync;

impl Dedup {
    /// Creates the default settings for this store.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_adapter::Dedup;
    /// use scrupp_verify_core::dedup::MemoryStore;
    ///
    /// let dedup = Dedup::new(MemoryStore::default());
    /// ```
    pub fn new(store: impl DeliveryStore + Send + Sync + 'static) -> Self {
        Self {
            store: Store {
                operations: Arc::new(store),
                timeout: Duration::from_secs(2),
            },
            id: Arc::new(DeliveryId::new),
            scope: None,
            lease: Duration::from_secs(60),
            retention: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// Sets how long a claim is valid while the handler runs.
    ///
    /// The default is 60 s, longer than a handler should take. If the handler takes longer, or its
    /// process crashes, the first attempt after the lease can claim the delivery. After a crash,
    /// retries are rejected until the lease expires.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use scrupp_verify_adapter::Dedup;
    /// use scrupp_verify_core::dedup::MemoryStore;
    ///
    /// // For a handler that takes up to two minutes.
    /// let dedup = Dedup::new(MemoryStore::default()).lease(Duration::from_secs(180));
    /// ```
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long an acknowledged delivery is remembered.
    ///
    /// The default is 86,400 s (a day), because Scrupp is assumed to retry for a day. If the window of
    /// the adapter's tolerance is longer, deliveries are remembered for that window.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RetentionTooShort`] if `retention` is shorter than the window of `tolerance`,
    /// past and future together. A delivery must not be forgotten while it can be replayed.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use scrupp_verify_adapter::Dedup;
    /// use scrupp_verify_core::{ConfigError, Tolerance, dedup::MemoryStore};
    ///
    /// let retention = |secs| {
    ///     let dedup = Dedup::new(MemoryStore::default());
    ///     dedup.retention(Duration::from_secs(secs), Tolerance::default())
    /// };
    /// assert!(retention(360).is_ok());
    /// assert_eq!(retention(359).unwrap_err(), ConfigError::RetentionTooShort);
    /// ```
    pub fn retention(
        mut self,
        retention: Duration,
        tolerance: Tolerance,
    ) -> Result<Self, ConfigError> {
        if retention < tolerance.window() {
            return Err(ConfigError::RetentionTooShort);
        }
        self.retention = retention;
        Ok(self)
    }

    /// Sets how long an operation of the store may take.
    ///
    /// The default is 2 s. If a claim takes longer, the delivery is rejected with 503, and Scrupp tries
    /// again. If a commit takes longer, the response stays a 2xx, and the error is logged.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use scrupp_verify_adapter::Dedup;
    /// use scrupp_verify_core::dedup::MemoryStore;
    ///
    /// let dedup = Dedup::new(MemoryStore::default()).store_timeout(Duration::from_millis(500));
    /// ```
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store.timeout = timeout;
        self
    }

    /// Sets the function that computes the id of a delivery. Deliveries with the same id are
    /// duplicates.
    ///
    /// The default is [`DeliveryId::new`].
    ///
    /// # Security
    ///
    /// Use only parts of the verified delivery. If accounts are looked up, the account must be one of
    /// them.
    ///
    /// # Examples
    ///
    /// Deliveries are duplicates only if their bodies are equal:
    ///
    /// ```
    /// use scrupp_verify_adapter::Dedup;
    /// use scrupp_verify_core::dedup::{DeliveryId, MemoryStore};
    ///
    /// let dedup = Dedup::new(MemoryStore::default())
    ///     .delivery_id(|delivery| DeliveryId::of(&[delivery.body()]));
    /// ```
    pub fn delivery_id<F>(mut self, id: F) -> Self
    where
        F: Fn(&VerifiedDelivery<Bytes>) -> DeliveryId + Send + Sync + 'static,
    {
        self.id = Arc::new(id);
        self
    }

    /// Sets the scope of delivery ids. Deliveries in different scopes are never duplicates.
    ///
    /// By default, there is no scope. If two routes or services share a store, give each its own scope.
    /// Otherwise, if Scrupp sends an event to both, only one of the two handlers runs.
    ///
    /// The empty scope differs from no scope. After a change of the scope, deliveries that were
    /// acknowledged in the old scope are handled again if Scrupp sends them again.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_adapter::Dedup;
    /// use scrupp_verify_core::dedup::MemoryStore;
    ///
    /// let store = MemoryStore::default();
    /// let for_crm = Dedup::new(store.clone()).scope("crm");
    /// let for_mail = Dedup::new(store).scope("mail");
    /// ```
    pub fn scope(mut self, scope: impl AsRef<[u8]>) -> Self {
        self.scope = Some(scope.as_ref().into());
        self
    }

    fn id_of(&self, delivery: &VerifiedDelivery<Bytes>) -> DeliveryId {
        let id = (self.id)(delivery);
        match &self.scope {
            Some(scope) => DeliveryId::of(&[scope, id.as_bytes()]),
            None => id,
        }
    }

    /// Claims a verified delivery. Returns `None` if the delivery is a duplicate.
    ///
    /// The store remembers an acknowledged delivery for at least `window`, the time in which the delivery
    /// can be replayed. If an outer adapter has already
    /// claimed the same id, no claim is made.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the claim is released.
    pub(crate) async fn claim(
        &self,
        id: DeliveryId,
        window: Duration,
        claimed: Option<&Claimed>,
        reporter: &Reporter,
    ) -> Result<Option<ClaimGuard>, RejectionKind> {
        if claimed.is_some_and(|claimed| claimed.id() == id) {
            log::claimed_outside(id);
            return Ok(Some(ClaimGuard { held: None }));
        }
        // A delivery is still accepted in the last second of the window.
        let window = window.saturating_add(Duration::from_secs(1));
        let held = Held {
            store: self.store.clone(),
            claimed: Claimed::new(id, random_token()?, self.retention.max(window)),
            reporter: reporter.clone(),
        };
        let claim = self
            .store
            .operations
            .claim(id, held.claimed.token(), self.lease);
        // Created before the claim, because a claim whose result is lost may have been granted.
        let mut guard = ClaimGuard {
            held: Some(Box::new(held)),
        };
        let claim = self
            .store
            .run(StoreOperation::Claim, id, claim, reporter)
            .await;
        let claim = claim.ok_or(RejectionKind::StoreUnavailable)?;
        if claim == Claim::Granted {
            return Ok(Some(guard));
        }
        guard.held = None;
        match claim {
            Claim::InFlight => Err(RejectionKind::InFlight),
            Claim::Acknowledged | Claim::Granted => Ok(None),
        }
    }
}

/// Reads the claim of a delivery, for an extractor. `claimed` is the value in the request's extensions.
///
/// # Errors
///
/// [`RejectionKind::NotClaimed`] if there is no claim. The error is logged.
pub fn read_claim(claimed: Option<&Claimed>) -> Result<Claimed, Rejection> {
    claimed.copied().ok_or_else(|| {
        log::error("a handler extracts a claim, but no ScruppVerify with a store wraps it");
        RejectionKind::NotClaimed.into()
    })
}

/// Returns the id of a delivery, as computed by `dedup`, or else the default one.
pub(crate) fn id_of(
    dedup: Option<&Dedup>,
    delivery: &VerifiedDelivery<Bytes>,
) -> Option<DeliveryId> {
    Some(match dedup {
        Some(dedup) => dedup.id_of(delivery),
        None => DeliveryId::new(delivery),
    })
}

/// Creates a token with the random number generator of the operating system, so tokens are unique
/// across processes, even after a `fork`.
fn random_token() -> Result<ClaimToken, RejectionKind> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        log::failed("a claim token cannot be generated", &error);
        RejectionKind::StoreUnavailable
    })?;
    Ok(ClaimToken::from_bytes(bytes))
}

impl<S: DeliveryStore + Send + Sync + 'static> From<S> for Dedup {
    fn from(store: S) -> Self {
        Self::new(store)
    }
}

impl fmt::Debug for Dedup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedup")
            .field("lease", &self.lease)
            .field("retention", &self.retention)
            .field("store_timeout", &self.store.timeout)
            .finish_non_exhaustive()
    }
}

/// A guard around the claim of a delivery. On drop, releases the claim: at once if the store can, or as
/// a background task.
pub(crate) struct ClaimGuard {
    /// `None` if there is no claim to release.
    held: Option<Box<Held>>,
}

struct Held {
    store: Store,
    claimed: Claimed,
    reporter: Reporter,
}

impl ClaimGuard {
    /// Returns the claim, unless an outer adapter holds it.
    pub(crate) fn claimed(&self) -> Option<Claimed> {
        self.held.as_ref().map(|held| held.claimed)
    }

    /// Returns the id of the delivery, unless an outer adapter holds the claim.
    #[cfg(feature = "tracing")]
    pub(crate) fn id(&self) -> Option<DeliveryId> {
        self.claimed().as_ref().map(Claimed::id)
    }

    /// Commits the claim if the handler succeeded, and releases it otherwise.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the operation continues as a background task on
    /// the current Tokio runtime. Without a runtime, the claim expires with its lease.
    pub(crate) async fn complete(mut self, is_success: bool) {
        let Some(held) = self.held.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            // A panic of the store ends its task, not the response.
            let _ = match is_success {
                true => runtime.spawn(held.commit()),
                false => runtime.spawn(held.release()),
            }
            .await;
        }
    }
}

impl Held {
    async fn commit(self) {
        let (id, token) = (self.claimed.id(), self.claimed.token());
        let commit = self
            .store
            .operations
            .commit(id, token, self.claimed.retention());
        let (commit, reporter) = (commit, &self.reporter);
        let committed = self.store.run(StoreOperation::Commit, id, commit, reporter);
        if let Some(false) = committed.await {
            log::lease_lost(id);
            reporter.report(|| Observation::LeaseLost);
        }
    }

    async fn release(self) {
        let (id, token) = (self.claimed.id(), self.claimed.token());
        let release = self.store.operations.release(id, token);
        let operation = StoreOperation::Release;
        self.store.run(operation, id, release, &self.reporter).await;
    }
}

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let (id, token) = (held.claimed.id(), held.claimed.token());
        let started = held.reporter.start();
        if held.store.operations.release_now(id, token) {
            started.report(|time| Observation::Store {
                operation: StoreOperation::Release,
                result: StoreResult::Ok,
                time,
            });
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(held.release());
        }
    }
}

/// A store of any type, with its timeout.
#[derive(Clone)]
struct Store {
    operations: Arc<dyn Operations>,
    timeout: Duration,
}

impl Store {
    /// Runs an operation. Returns `None` if the operation fails or takes too long, and logs the reason.
    async fn run<T>(
        &self,
        operation: StoreOperation,
        id: DeliveryId,
        running: Operation<'_, T>,
        reporter: &Reporter,
    ) -> Option<T> {
        let started = reporter.start();
        let (result, done) = match timeout(self.timeout, running).await {
            Ok(Ok(done)) => (StoreResult::Ok, Ok(done)),
            Ok(Err(error)) => (StoreResult::Failed, Err(error)),
            Err(elapsed) => (StoreResult::TimedOut, Err(elapsed.to_string())),
        };
        started.report(|time| Observation::Store {
            operation,
            result,
            time,
        });
        done.inspect_err(|error| log::store_failed(operation, id, error))
            .ok()
    }
}

/// A [`DeliveryStore`] that can be a trait object.
trait Operations: Send + Sync {
    fn claim(&self, id: DeliveryId, token: ClaimToken, lease: Duration) -> Operation<'_, Claim>;
    fn commit(&self, id: DeliveryId, token: ClaimToken, retention: Duration)
    -> Operation<'_, bool>;
    fn release(&self, id: DeliveryId, token: ClaimToken) -> Operation<'_, ()>;
    fn release_now(&self, id: DeliveryId, token: ClaimToken) -> bool;
}

type Operation<'s, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 's>>;

impl<S: DeliveryStore + Send + Sync> Operations for S {
    fn claim(&self, id: DeliveryId, token: ClaimToken, lease: Duration) -> Operation<'_, Claim> {
        boxed(DeliveryStore::claim(self, id, token, lease))
    }

    fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> Operation<'_, bool> {
        boxed(DeliveryStore::commit(self, id, token, retention))
    }

    fn release(&self, id: DeliveryId, token: ClaimToken) -> Operation<'_, ()> {
        boxed(DeliveryStore::release(self, id, token))
    }

    fn release_now(&self, id: DeliveryId, token: ClaimToken) -> bool {
        DeliveryStore::release_now(self, id, token)
    }
}

fn boxed<'s, T, E: Display>(
    operation: impl Future<Output = Result<T, E>> + Send + 's,
) -> Operation<'s, T> {
    Box::pin(async move { operation.await.map_err(|error| error.to_string()) })
}

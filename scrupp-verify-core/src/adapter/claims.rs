use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{runtime::Handle, time::timeout};

use super::log;
use crate::{
    ConfigError, Tolerance, Verified,
    dedup::{Claim, DeliveryId, DeliveryStore, Owner},
};

/// How an adapter handles each delivery once: a [`DeliveryStore`] and its terms.
///
/// Made from a store by `into()`, with a lease of 60 s, a retention of a day (as long as Scrupp's
/// retries go on), and 2 s for the store to answer.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use scrupp_verify_core::{ConfigError, Tolerance, adapter::Dedup, dedup::MemoryStore};
///
/// # fn main() -> Result<(), ConfigError> {
/// let dedup = Dedup::new(MemoryStore::default())
///     .lease(Duration::from_secs(30))
///     .retention(Duration::from_secs(3600), Tolerance::default())?;
///
/// // Forgotten while it could still be replayed:
/// let too_short = Dedup::new(MemoryStore::default())
///     .retention(Duration::from_secs(359), Tolerance::default());
/// assert_eq!(too_short.unwrap_err(), ConfigError::RetentionTooShort);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Dedup {
    store: Arc<dyn Store>,
    id: Arc<IdFunction>,
    lease: Duration,
    retention: Duration,
    store_timeout: Duration,
}

type IdFunction = dyn Fn(&Verified, &[u8]) -> DeliveryId + Send + Sync;

impl Dedup {
    /// Handles each delivery once, as far as this store reaches.
    pub fn new(store: impl DeliveryStore + Send + Sync + 'static) -> Self {
        Self {
            store: Arc::new(store),
            id: Arc::new(DeliveryId::new),
            lease: Duration::from_secs(60),
            retention: Duration::from_secs(24 * 60 * 60),
            store_timeout: Duration::from_secs(2),
        }
    }

    /// Sets how long a handler has, by default 60 s, in whole seconds. A delivery whose handler
    /// takes longer, or whose process has crashed, can be claimed by the next attempt.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long a handled delivery is remembered, by default a day, in whole seconds.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RetentionTooShort`] where it is shorter than the window of `tolerance`, past
    /// and future together: a delivery could then be replayed after it was forgotten. Should the
    /// adapter's tolerance be wider than that, deliveries are remembered for as long as it.
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

    /// Sets how long the store may take for an answer, by default 2 s. Later, a claim is refused
    /// with 503.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// Swaps [`DeliveryId::new`] for another function of the proof and the body.
    pub fn delivery_id<F>(mut self, id: F) -> Self
    where
        F: Fn(&Verified, &[u8]) -> DeliveryId + Send + Sync + 'static,
    {
        self.id = Arc::new(id);
        self
    }

    /// Claims a delivery. Whatever becomes of the future, what it has claimed is released unless
    /// the handler succeeds.
    ///
    /// Once handled, it is remembered at least for as long as its timestamp can be inside the
    /// window, of which the last second is a part.
    pub(super) fn claim(&self, verified: &Verified, body: &[u8], tolerance: Tolerance) -> Claiming {
        let window = tolerance.window().saturating_add(Duration::from_secs(1));
        let held = HeldClaim {
            store: Arc::clone(&self.store),
            id: (self.id)(verified, body),
            owner: Owner::random(),
            retention: self.retention.max(window),
            store_timeout: self.store_timeout,
            settled: false,
        };
        let claim = Arc::clone(&self.store).claim(held.id, held.owner, self.lease);
        let claim = in_time(self.store_timeout, "claim", claim);
        Claiming {
            claim,
            held: Some(held),
        }
    }
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
            .field("store_timeout", &self.store_timeout)
            .finish_non_exhaustive()
    }
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An operation did not succeed, as the log says.
pub(super) struct StoreFailed;

/// A [`DeliveryStore`] of any type, whose failures are logged.
trait Store: Send + Sync {
    fn claim(self: Arc<Self>, id: DeliveryId, owner: Owner, lease: Duration) -> Answer<Claim>;
    fn commit(self: Arc<Self>, id: DeliveryId, owner: Owner, retention: Duration) -> Answer<bool>;
    fn release(self: Arc<Self>, id: DeliveryId, owner: Owner) -> Answer<()>;
    fn release_now(&self, id: DeliveryId, owner: Owner) -> bool;
}

type Answer<T> = BoxFuture<Result<T, StoreFailed>>;

impl<S: DeliveryStore + Send + Sync + 'static> Store for S {
    fn claim(self: Arc<Self>, id: DeliveryId, owner: Owner, lease: Duration) -> Answer<Claim> {
        Box::pin(async move {
            logged(
                "claim",
                DeliveryStore::claim(&*self, id, owner, lease).await,
            )
        })
    }

    fn commit(self: Arc<Self>, id: DeliveryId, owner: Owner, retention: Duration) -> Answer<bool> {
        Box::pin(async move {
            logged(
                "commit",
                DeliveryStore::commit(&*self, id, owner, retention).await,
            )
        })
    }

    fn release(self: Arc<Self>, id: DeliveryId, owner: Owner) -> Answer<()> {
        Box::pin(async move { logged("release", DeliveryStore::release(&*self, id, owner).await) })
    }

    fn release_now(&self, id: DeliveryId, owner: Owner) -> bool {
        DeliveryStore::release_now(self, id, owner)
    }
}

fn logged<T, E: fmt::Display>(operation: &str, answer: Result<T, E>) -> Result<T, StoreFailed> {
    answer.map_err(|error| {
        log::store_failed(operation, &error);
        StoreFailed
    })
}

fn in_time<T: 'static>(limit: Duration, operation: &'static str, answer: Answer<T>) -> Answer<T> {
    Box::pin(async move {
        timeout(limit, answer).await.unwrap_or_else(|elapsed| {
            log::store_failed(operation, &elapsed);
            Err(StoreFailed)
        })
    })
}

/// A claim on its way to the store.
pub(super) struct Claiming {
    claim: Answer<Claim>,
    held: Option<HeldClaim>,
}

/// What came of a claim.
pub(super) enum Claimed {
    Granted(HeldClaim),
    InFlight,
    Acknowledged,
    Unknown,
}

impl Future for Claiming {
    type Output = Claimed;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Claimed> {
        let claim = ready!(self.claim.as_mut().poll(cx));
        let Some(mut held) = self.held.take() else {
            return Poll::Pending;
        };
        Poll::Ready(match claim {
            Ok(Claim::Granted) => Claimed::Granted(held),
            Ok(answer) => {
                held.settled = true;
                match answer {
                    Claim::Acknowledged => Claimed::Acknowledged,
                    _ => Claimed::InFlight,
                }
            }
            // It may have been granted all the same.
            Err(StoreFailed) => Claimed::Unknown,
        })
    }
}

/// A delivery that is this process's to handle, for as long as the lease lasts.
///
/// Dropped before it is settled, as when the handler panics or the client hangs up, the claim is
/// released: at once, or in the background where the store has to be waited for.
#[must_use = "a claim that is dropped is released"]
pub struct HeldClaim {
    store: Arc<dyn Store>,
    id: DeliveryId,
    owner: Owner,
    retention: Duration,
    store_timeout: Duration,
    settled: bool,
}

impl HeldClaim {
    /// Ends the claim by the status that the handler answered: 2xx remembers the delivery as
    /// handled, any other lets the next attempt through.
    pub fn settle(mut self, status: u16) -> Settling {
        self.settled = true;
        Settling {
            settling: Some(match status {
                200..=299 => self.commit(),
                _ => self.release(),
            }),
        }
    }

    fn commit(&self) -> BoxFuture<()> {
        let commit = Arc::clone(&self.store).commit(self.id, self.owner, self.retention);
        let commit = in_time(self.store_timeout, "commit", commit);
        Box::pin(async move {
            if let Ok(false) = commit.await {
                log::lease_lost();
            }
        })
    }

    fn release(&self) -> BoxFuture<()> {
        let release = Arc::clone(&self.store).release(self.id, self.owner);
        let release = in_time(self.store_timeout, "release", release);
        Box::pin(async move { drop(release.await) })
    }
}

impl Drop for HeldClaim {
    fn drop(&mut self) {
        if !self.settled && !self.store.release_now(self.id, self.owner) {
            drop(Settling {
                settling: Some(self.release()),
            });
        }
    }
}

impl fmt::Debug for HeldClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldClaim").finish_non_exhaustive()
    }
}

/// The end of a claim on its way to the store.
///
/// # Cancel safety
///
/// Dropped, it goes on in the background, on the tokio runtime that it is dropped on. Where there
/// is none, the lease ends the claim.
#[must_use = "futures do nothing unless polled"]
pub struct Settling {
    settling: Option<BoxFuture<()>>,
}

impl Future for Settling {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(settling) = &mut self.settling {
            ready!(settling.as_mut().poll(cx));
            self.settling = None;
        }
        Poll::Ready(())
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        if let (Some(settling), Ok(runtime)) = (self.settling.take(), Handle::try_current()) {
            runtime.spawn(settling);
        }
    }
}

impl fmt::Debug for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settling").finish_non_exhaustive()
    }
}

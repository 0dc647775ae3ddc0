use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};
use core::{fmt, time::Duration};
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::PoisonError,
};

#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};

use super::{Claim, ClaimToken, DeliveryId, DeliveryStore, Record};
use crate::{Clock, UnixTime};

/// A [`DeliveryStore`] in the memory of one process.
///
/// Clones share the same deliveries. All deliveries are forgotten when the process ends.
///
/// The default capacity is 262,144 deliveries, which is 3 per second over the default retention of
/// a day. A full store rejects further claims, because removing a delivery before it expires would
/// allow a replay. The adapters then respond with a 503, and Scrupp retries the delivery later.
///
/// A delivery occupies at most 250 bytes, so the default capacity needs at most 64 MiB. Memory
/// grows with the number of deliveries. The store reuses memory, and returns it only on drop. Each
/// claim or commit removes at most eight expired deliveries.
///
/// The clock has a resolution of one second, so a lease or retention can last up to two seconds
/// longer than requested.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use scrupp_verify_core::dedup::{
///     Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore, MemoryStoreError,
/// };
///
/// # async fn example() -> Result<(), MemoryStoreError> {
/// let store = MemoryStore::new(1);
/// let (lease, retention) = (Duration::from_secs(60), Duration::from_secs(86_400));
/// let (first, second) = (ClaimToken::from_bytes([1; 16]), ClaimToken::from_bytes([2; 16]));
///
/// let id = DeliveryId::of(&[b"6666"]);
/// assert_eq!(store.claim(id, first, lease).await?, Claim::Granted);
/// assert_eq!(store.claim(id, second, lease).await?, Claim::InFlight);
/// assert!(store.commit(id, first, retention).await?);
/// assert_eq!(store.claim(id, second, lease).await?, Claim::Acknowledged);
///
/// let other = DeliveryId::of(&[b"6667"]);
/// assert_eq!(store.claim(other, second, lease).await, Err(MemoryStoreError::Full));
/// # Ok(())
/// # }
/// # let mut context = core::task::Context::from_waker(core::task::Waker::noop());
/// # assert_eq!(core::pin::pin!(example()).poll(&mut context), core::task::Poll::Ready(Ok(())));
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    deliveries: Arc<Mutex<Deliveries>>,
    clock: Arc<dyn Clock + Send + Sync>,
}

impl MemoryStore {
    /// Creates a store with a maximum number of deliveries.
    ///
    /// Set the capacity to the number of deliveries that you expect within the retention, by default a day.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::dedup::MemoryStore;
    ///
    /// // 12 deliveries per second over a day.
    /// let store = MemoryStore::new(1 << 20);
    /// ```
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            deliveries: Arc::new(Mutex::new(Deliveries {
                capacity,
                shards: (0..256).map(|_| HashMap::new()).collect(),
                expiries: BTreeSet::new(),
            })),
            clock: Arc::new(UnixTime::now),
        }
    }

    /// Replaces the system clock. If the clock returns `None`, claims and commits fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::{UnixTime, dedup::MemoryStore};
    ///
    /// let store = MemoryStore::default().clock(|| Some(UnixTime::from_secs(1_735_471_800)));
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Updates the record of a delivery with a rule, such as `Record::claim`, at the current time.
    fn update<T>(
        &self,
        id: DeliveryId,
        rule: impl FnOnce(&mut Option<Record>, UnixTime) -> T,
    ) -> Result<T, MemoryStoreError> {
        let now = self.clock.now().ok_or(MemoryStoreError::NoTime)?;
        let mut deliveries = self.lock();
        deliveries.remove_expired(now);
        deliveries.update(id, |record| rule(record, now))
    }

    fn lock(&self) -> MutexGuard<'_, Deliveries> {
        let guard = self.deliveries.lock();
        // A panic cannot leave the deliveries in an inconsistent state.
        guard.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(1 << 18)
    }
}

impl DeliveryStore for MemoryStore {
    type Error = MemoryStoreError;

    async fn claim(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        lease: Duration,
    ) -> Result<Claim, MemoryStoreError> {
        self.update(id, |record, now| Record::claim(record, token, now, lease))
    }

    async fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> Result<bool, MemoryStoreError> {
        self.update(id, |record, now| {
            Record::commit(record, token, now, retention)
        })
    }

    async fn release(&self, id: DeliveryId, token: ClaimToken) -> Result<(), MemoryStoreError> {
        self.release_now(id, token);
        Ok(())
    }

    fn release_now(&self, id: DeliveryId, token: ClaimToken) -> bool {
        let mut deliveries = self.lock();
        let released = deliveries.update(id, |record| Record::release(record, token));
        released.is_ok()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

/// The deliveries of a store: maps of records by id, and a set of the same ids by expiry.
struct Deliveries {
    capacity: usize,
    /// One map for each first byte of an id, because growing one large map takes milliseconds.
    shards: Vec<Shard>,
    expiries: BTreeSet<(UnixTime, DeliveryId)>,
}

impl Deliveries {
    /// Removes at most eight expired records, which bounds the time of one operation. One removed
    /// record is enough for a claim, so expired records never make the store full.
    fn remove_expired(&mut self, now: UnixTime) {
        for _ in 0..8 {
            match self.expiries.first() {
                Some(&(expires_at, id)) if expires_at <= now => {
                    self.expiries.pop_first();
                    shard(&mut self.shards, id).remove(&id);
                }
                _ => break,
            }
        }
    }

    /// Updates the record of a delivery with a rule, such as `Record::claim`.
    fn update<T>(
        &mut self,
        id: DeliveryId,
        rule: impl FnOnce(&mut Option<Record>) -> T,
    ) -> Result<T, MemoryStoreError> {
        let entry = shard(&mut self.shards, id).entry(id);
        let old = match &entry {
            Entry::Occupied(record) => Some(*record.get()),
            Entry::Vacant(_) => None,
        };
        let mut new = old;
        let result = rule(&mut new);
        if new == old {
            return Ok(result);
        }
        if old.is_none() && self.expiries.len() >= self.capacity {
            return Err(MemoryStoreError::Full);
        }
        if let Some(old) = old {
            self.expiries.remove(&(old.expires_at(), id));
        }
        match (new, entry) {
            (Some(new), entry) => {
                self.expiries.insert((new.expires_at(), id));
                entry.insert_entry(new);
            }
            (None, Entry::Occupied(record)) => {
                record.remove();
            }
            (None, Entry::Vacant(_)) => {}
        }
        Ok(result)
    }
}

type Shard = HashMap<DeliveryId, Record>;

#[expect(
    clippy::indexing_slicing,
    reason = "one shard for each value of a byte"
)]
fn shard(shards: &mut [Shard], id: DeliveryId) -> &mut Shard {
    &mut shards[usize::from(id.as_bytes()[0])]
}

/// The error of a [`MemoryStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemoryStoreError {
    /// The store is full, and no delivery has expired.
    Full,
    /// The clock returned `None`.
    NoTime,
}

impl fmt::Display for MemoryStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the memory store is full",
            Self::NoTime => "the clock returned no time",
        })
    }
}

impl core::error::Error for MemoryStoreError {}

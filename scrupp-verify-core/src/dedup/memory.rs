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

/// A [`DeliveryStore`] in the memory of one process, by default for 262,144 deliveries.
///
/// Clones share one set of deliveries. A delivery is held until its lease or its retention expires.
/// Later claims and commits remove expired deliveries, at most eight each.
///
/// A full store rejects further claims, because to forget a delivery would allow its replay. The
/// adapters then respond with 503, and Scrupp tries again. All deliveries are forgotten when the
/// process ends.
///
/// The capacity is a rate: over the default retention of a day, 262,144 deliveries are 3 a second.
/// Memory grows with the number of deliveries, to at most 250 bytes each: 64 MiB at the default
/// capacity. The store reuses memory, but returns it only when dropped.
///
/// The clock reads whole seconds, so a lease or retention can last up to two seconds longer than
/// asked.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::dedup::MemoryStore;
///
/// let default = MemoryStore::default();
/// // 12 deliveries a second over a day.
/// let large = MemoryStore::new(1 << 20);
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    deliveries: Arc<Mutex<Deliveries>>,
    clock: Arc<dyn Clock + Send + Sync>,
}

impl MemoryStore {
    /// Creates a store for at most `capacity` deliveries: as many as arrive within the retention,
    /// by default a day.
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

    /// Replaces the system clock. If the clock returns `None`, every claim fails.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Changes the record of a delivery by a rule, at the time that the clock gives.
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
        // No change can panic half-way through.
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

/// Records by id, and ids by expiry. Both hold the same ids.
struct Deliveries {
    capacity: usize,
    /// One map for each first byte of an id, because growing a single large map takes milliseconds.
    shards: Vec<Shard>,
    expiries: BTreeSet<(UnixTime, DeliveryId)>,
}

impl Deliveries {
    /// Removes the expired records, but at most eight, to bound the time of one operation. An
    /// expired record never makes the store full, because one removed record is enough for a claim.
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

    /// Changes the record of a delivery by a rule.
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

/// Why a [`MemoryStore`] cannot take a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryStoreError {
    /// The store is at its capacity, and no delivery has expired.
    Full,
    /// The clock returned `None`.
    NoTime,
}

impl fmt::Display for MemoryStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the memory store is full",
            Self::NoTime => "the clock gives no time",
        })
    }
}

impl core::error::Error for MemoryStoreError {}

use alloc::sync::Arc;
use core::{fmt, time::Duration};
use std::sync::PoisonError;
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};

#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};

use self::table::Table;
use super::{Claim, DeliveryId, DeliveryStore, Owner, Record};
use crate::{Clock, UnixTime};

mod table;

/// A [`DeliveryStore`] in memory, for a service that is one process: by default for 65,536
/// deliveries.
///
/// Clones share what they hold. Takes about 100 bytes a delivery, and a constant time for each
/// operation, however many it holds. What is over is dropped as others come.
///
/// A store that is full refuses further claims, which are answered 503 and come again, rather
/// than forget a delivery whose replay would still be inside the window. What it holds is gone
/// with the process: after a restart, what was acknowledged shortly before can be replayed.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::dedup::MemoryStore;
///
/// let default = MemoryStore::default();
/// let large = MemoryStore::new(1 << 20);
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    table: Arc<Mutex<Table>>,
    clock: Arc<dyn Clock + Send + Sync>,
}

impl MemoryStore {
    /// A store for at most this many deliveries, up to 2^32 - 1: as many as come in a retention
    /// period (by default a day). It takes memory as it fills.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            table: Arc::new(Mutex::new(Table::new(capacity))),
            clock: Arc::new(UnixTime::now),
        }
    }

    /// Swaps the system clock for another. Where it gives no time, every claim fails.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn now(&self) -> Result<UnixTime, MemoryStoreError> {
        self.clock.now().ok_or(MemoryStoreError::NoTime)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No change of the table can panic half-way through.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(65_536)
    }
}

impl DeliveryStore for MemoryStore {
    type Error = MemoryStoreError;

    async fn claim(
        &self,
        id: DeliveryId,
        owner: Owner,
        lease: Duration,
    ) -> Result<Claim, MemoryStoreError> {
        let now = self.now()?;
        let mut table = self.table();
        table.drop_expired(now);
        table.update(id, |record| Record::claim(record, owner, now, lease))
    }

    async fn commit(
        &self,
        id: DeliveryId,
        owner: Owner,
        retention: Duration,
    ) -> Result<bool, MemoryStoreError> {
        let now = self.now()?;
        self.table()
            .update(id, |record| Record::commit(record, owner, now, retention))
    }

    async fn release(&self, id: DeliveryId, owner: Owner) -> Result<(), MemoryStoreError> {
        self.release_now(id, owner);
        Ok(())
    }

    fn release_now(&self, id: DeliveryId, owner: Owner) -> bool {
        let mut table = self.table();
        table
            .update(id, |record| Record::release(record, owner))
            .is_ok()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

/// Why a [`MemoryStore`] cannot take a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryStoreError {
    /// It holds as many deliveries as it may, and none of them is over.
    Full,
    /// Its clock gives no time.
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

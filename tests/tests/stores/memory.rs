//! The in-memory store.

use core::time::Duration;
use std::time::SystemTime;

use scrupp_verify_core::{
    UnixTime,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore, MemoryStoreError},
};

use crate::suite::Shape;

pub(crate) struct Memory(Millis);

impl Shape for Memory {
    type Store = Millis;

    async fn start() -> Self {
        let now = || {
            let since_epoch = SystemTime::UNIX_EPOCH.elapsed().ok()?;
            Some(UnixTime::from_secs(since_epoch.as_millis() as _))
        };
        Self(Millis(MemoryStore::default().clock(now)))
    }

    async fn store(&self) -> Millis {
        self.0.clone()
    }
}

/// A store with a clock in milliseconds, because the clock of `MemoryStore` has whole seconds.
#[derive(Clone)]
pub(crate) struct Millis(MemoryStore);

impl DeliveryStore for Millis {
    type Error = MemoryStoreError;

    async fn claim(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        lease: Duration,
    ) -> Result<Claim, MemoryStoreError> {
        self.0.claim(id, token, lease * 1000).await
    }

    async fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> Result<bool, MemoryStoreError> {
        self.0.commit(id, token, retention * 1000).await
    }

    async fn release(&self, id: DeliveryId, token: ClaimToken) -> Result<(), MemoryStoreError> {
        self.0.release(id, token).await
    }
}

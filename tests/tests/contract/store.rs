//! A store that records its operations.

use core::{future::pending, time::Duration};
use std::sync::{Arc, Mutex};

use scrupp_verify_core::dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore};
use tokio::time::sleep;

/// A store that records each operation. By default, grants every claim.
#[derive(Clone, Default)]
pub(crate) struct RecordingStore {
    pub(crate) operations: Arc<Mutex<Vec<String>>>,
    pub(crate) claim: Behavior,
    /// Result of each claim. `None` grants it.
    pub(crate) claimed: Option<Claim>,
    pub(crate) commit: Behavior,
    /// True if `release_now` releases claims.
    pub(crate) releases_now: bool,
}

/// The behavior of an operation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Behavior {
    #[default]
    Succeeds,
    TakesOneSecond,
    Fails,
    NeverReturns,
    Panics,
    /// The lease expires, and another attempt claims the delivery.
    LosesTheLease,
}

impl RecordingStore {
    pub(crate) fn operations(&self) -> Vec<String> {
        self.operations.lock().unwrap().clone()
    }

    fn record(&self, operation: impl Into<String>) {
        self.operations.lock().unwrap().push(operation.into());
    }
}

impl Behavior {
    async fn run<T>(self, success: T) -> Result<T, &'static str> {
        match self {
            Self::Succeeds | Self::LosesTheLease => {}
            Self::TakesOneSecond => sleep(Duration::from_secs(1)).await,
            Self::Fails => return Err("no route to the store"),
            Self::NeverReturns => pending().await,
            Self::Panics => panic!("the store panics"),
        }
        Ok(success)
    }
}

impl DeliveryStore for RecordingStore {
    type Error = &'static str;

    async fn claim(
        &self,
        _: DeliveryId,
        _: ClaimToken,
        lease: Duration,
    ) -> Result<Claim, &'static str> {
        self.record(format!("claim for {lease:?}"));
        self.claim.run(self.claimed.unwrap_or(Claim::Granted)).await
    }

    async fn commit(
        &self,
        _: DeliveryId,
        _: ClaimToken,
        retention: Duration,
    ) -> Result<bool, &'static str> {
        self.record(format!("commit for {retention:?}"));
        let holds_claim = !matches!(self.commit, Behavior::LosesTheLease);
        let committed = self.commit.run(holds_claim).await;
        self.record("commit done");
        committed
    }

    async fn release(&self, _: DeliveryId, _: ClaimToken) -> Result<(), &'static str> {
        self.record("release");
        Ok(())
    }

    fn release_now(&self, _: DeliveryId, _: ClaimToken) -> bool {
        self.record("release now");
        self.releases_now
    }
}

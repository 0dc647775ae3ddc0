use core::fmt;
use std::thread;

use scrupp_verify_core::Verified;

use crate::{
    claims::{ClaimGuard, Claimed, DeliveryId},
    log,
};

/// A guard around the handler of a delivery: logs its outcome, and commits or releases its claim.
///
/// If the guard is dropped before it is completed, the handler panicked, or its server dropped it with
/// the connection. The guard releases the claim then, so the next attempt runs the handler again.
#[must_use = "a guard that is dropped reports a handler that was dropped"]
pub struct HandlerGuard {
    /// `None` if nothing is logged or claimed.
    running: Option<Box<Running>>,
}

struct Running {
    verified: Verified,
    id: Option<DeliveryId>,
    claim: Option<ClaimGuard>,
}

impl HandlerGuard {
    pub(crate) fn new(
        verified: &Verified,
        id: Option<DeliveryId>,
        claim: Option<ClaimGuard>,
    ) -> Self {
        let running = (claim.is_some() || log::is_enabled()).then(|| {
            Box::new(Running {
                verified: *verified,
                id,
                claim,
            })
        });
        Self { running }
    }

    /// Returns the claim of this adapter, for the request's extensions.
    #[must_use]
    pub fn claimed(&self) -> Option<Claimed> {
        self.running.as_ref()?.claim.as_ref()?.claimed()
    }

    /// Commits the claim if the handler responded with a 2xx, and releases it otherwise.
    ///
    /// # Cancel safety
    ///
    /// If dropped before completion, the operation continues as a background task on the current
    /// Tokio runtime. Without a runtime, the claim expires with its lease.
    pub async fn complete(mut self, status: u16) {
        let Some(running) = self.running.take() else {
            return;
        };
        log::responded(&running.verified, running.id, status);
        if let Some(claim) = running.claim {
            claim.complete(status).await;
        }
    }
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            log::dropped(&running.verified, running.id, thread::panicking());
        }
    }
}

impl fmt::Debug for HandlerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerGuard").finish_non_exhaustive()
    }
}

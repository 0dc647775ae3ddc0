use core::fmt;
use std::thread;

use bytes::Bytes;
use scrupp_verify_core::VerifiedDelivery;

use crate::{
    claims::{ClaimGuard, Claimed},
    log,
    observer::{Observation, Started},
};

/// A guard that logs the outcome of a handler, and commits or releases the claim of its delivery.
///
/// The guard is dropped without [`complete`](Self::complete) if the handler panics, the client
/// disconnects, an outer timeout expires, or the server shuts down. The guard then logs a warning and
/// releases the claim, so the next attempt runs the handler again.
#[must_use = "dropping the guard releases the claim and logs a warning"]
pub struct HandlerGuard {
    /// `None` once the guard is completed.
    running: Option<Running>,
}

struct Running {
    delivery: VerifiedDelivery<Bytes>,
    claim: Option<ClaimGuard>,
    started: Started,
}

impl HandlerGuard {
    pub(crate) fn new(
        delivery: VerifiedDelivery<Bytes>,
        claim: Option<ClaimGuard>,
        mut started: Started,
    ) -> Self {
        started.restart();
        Self {
            running: Some(Running {
                delivery,
                claim,
                started,
            }),
        }
    }

    /// Returns the claim of this adapter. Insert the claim into the request's extensions, so an inner
    /// adapter does not claim the delivery again.
    #[must_use]
    pub fn claimed(&self) -> Option<Claimed> {
        self.running.as_ref()?.claim.as_ref()?.claimed()
    }

    /// Logs the outcome. Commits the claim if the handler responded with a 2xx, and releases it
    /// otherwise.
    ///
    /// `status` is `None` if the handler failed without a response. `is_duplicate` is true if the
    /// response's extensions contain [`Duplicate`](crate::Duplicate). In this case, nothing is logged,
    /// because the inner adapter that inserted it has logged the outcome.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the operation continues as a background task on
    /// the current Tokio runtime. Without a runtime, the claim expires with its lease.
    pub async fn complete(mut self, status: Option<u16>, is_duplicate: bool) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        if !is_duplicate {
            running.responded(status);
        }
        let claim = running.claim.take();
        // Frees the body before waiting for the store.
        drop(running);
        if let Some(claim) = claim {
            claim.complete(is_success(status)).await;
        }
    }
}

impl Running {
    fn responded(&self, status: Option<u16>) {
        log::responded(&self.delivery, self.claim.as_ref(), status);
        self.started.report(|time| Observation::Handled {
            verified: self.delivery.verified(),
            status,
            is_success: is_success(status),
            time,
        });
    }

    fn dropped(&self) {
        log::dropped(&self.delivery, self.claim.as_ref(), thread::panicking());
        self.started.report(|time| Observation::HandlerDropped {
            verified: self.delivery.verified(),
            time,
        });
    }
}

/// Returns true if a handler acknowledged its delivery.
pub(crate) fn is_success(status: Option<u16>) -> bool {
    matches!(status, Some(200..=299))
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.dropped();
        }
    }
}

impl fmt::Debug for HandlerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerGuard").finish_non_exhaustive()
    }
}

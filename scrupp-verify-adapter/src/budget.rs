use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::observer::{Observation, Reporter};

/// How many bytes of unverified bodies may be held at once, over all connections.
///
/// Deliveries wait for the budget in the order in which they asked. Each acquires at most once, so
/// none of them waits while it holds a part that another one waits for. Clones share the budget.
///
/// # Examples
///
/// ```
/// use scrupp_verify_adapter::Budget;
///
/// let budget = Budget::new(64 * 1024 * 1024);
/// assert_eq!(budget.available_bytes(), 67_108_864);
/// ```
#[derive(Clone, Debug)]
pub struct Budget {
    bytes: usize,
    semaphore: Arc<Semaphore>,
}

/// The part of a [`Budget`] that one delivery has reserved; given back on drop.
pub(crate) struct Reservation<'b> {
    permits: SemaphorePermit<'b>,
    reporter: &'b Reporter,
}

impl Budget {
    /// Creates a budget of this many bytes, of at least one, and at most [`Semaphore::MAX_PERMITS`].
    ///
    /// A body that exceeds the whole budget is received while no other one holds a part of it.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let bytes = bytes.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            bytes,
            semaphore: Arc::new(Semaphore::new(bytes)),
        }
    }

    /// Returns how many bytes no delivery has reserved.
    #[must_use]
    pub fn available_bytes(&self) -> usize {
        self.semaphore.available_permits()
    }

    /// Returns how many bytes there are in all.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Waits until this many bytes are available, or the whole budget if that is less.
    ///
    /// Returns `None` if the semaphore is closed, which nothing does.
    pub(crate) async fn reserve<'b>(
        &'b self,
        bytes: usize,
        reporter: &'b Reporter,
    ) -> Option<Box<Reservation<'b>>> {
        let permits = u32::try_from(bytes.min(self.bytes)).unwrap_or(u32::MAX);
        let permits = self.semaphore.acquire_many(permits).await.ok()?;
        // In a box: most deliveries need no reservation, nor the room for one.
        let reservation = Box::new(Reservation { permits, reporter });
        reservation.report(1);
        Some(reservation)
    }
}

impl Reservation<'_> {
    /// Reports the bytes with a sign.
    fn report(&self, sign: i64) {
        self.reporter.report(|| Observation::UnverifiedBytes {
            change: sign * i64::try_from(self.permits.num_permits()).unwrap_or(i64::MAX),
        });
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.report(-1);
    }
}

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::observer::{Observation, Reporter};

/// A limit on the bytes of unverified bodies that are in memory at once, across all connections.
///
/// Deliveries get their reservations in order of arrival. Each delivery reserves at most once, so no
/// delivery waits while it holds a reservation. Clones share one budget.
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

/// The part of a [`Budget`] that one delivery has reserved. Released on drop.
pub(crate) struct Reservation<'b> {
    permits: SemaphorePermit<'b>,
    reporter: &'b Reporter,
}

impl Budget {
    /// Creates a budget of this many bytes: at least 1, and at most [`Semaphore::MAX_PERMITS`].
    ///
    /// A body that exceeds the whole budget waits until no other delivery has a reservation.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let bytes = bytes.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            bytes,
            semaphore: Arc::new(Semaphore::new(bytes)),
        }
    }

    /// Returns the number of bytes that are not reserved.
    #[must_use]
    pub fn available_bytes(&self) -> usize {
        self.semaphore.available_permits()
    }

    /// Returns the number of bytes of the whole budget.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Waits until this many bytes are available, or the whole budget if that is less.
    ///
    /// Returns `None` if the semaphore is closed, which never happens.
    pub(crate) async fn reserve<'b>(
        &'b self,
        bytes: usize,
        reporter: &'b Reporter,
    ) -> Option<Box<Reservation<'b>>> {
        let permits = u32::try_from(bytes.min(self.bytes)).unwrap_or(u32::MAX);
        let permits = self.semaphore.acquire_many(permits).await.ok()?;
        // Boxed, because most deliveries need no reservation.
        let reservation = Box::new(Reservation { permits, reporter });
        reservation.report(1);
        Some(reservation)
    }
}

impl Reservation<'_> {
    /// Reports the reserved bytes. `sign` is 1 for a reservation, and -1 for a release.
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

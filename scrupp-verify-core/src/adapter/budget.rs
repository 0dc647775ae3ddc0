use alloc::sync::Arc;
use core::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Notify, futures::OwnedNotified};

/// How many bytes of bodies may be held at once that are not verified yet, over all connections.
///
/// Clones share what is held.
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    limit: usize,
    held: AtomicUsize,
    freed: Arc<Notify>,
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Inner {
            limit: bytes,
            held: AtomicUsize::new(0),
            freed: Arc::default(),
        }))
    }

    /// Whether one who holds `own` bytes may receive another piece. A delivery never waits for
    /// itself, so that one that is larger than the budget gets through alone.
    pub(super) fn has_room_beside(&self, own: usize) -> bool {
        let held = self.0.held.load(Ordering::Relaxed);
        held.saturating_sub(own) < self.0.limit
    }

    /// Ready when there may be room again. Whoever finds it wakes the next one.
    pub(super) fn freed(&self) -> OwnedNotified {
        Arc::clone(&self.0.freed).notified_owned()
    }

    pub(super) fn wake_next(&self) {
        self.0.freed.notify_one();
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("limit", &self.0.limit)
            .field("held", &self.0.held)
            .finish_non_exhaustive()
    }
}

/// What one delivery holds of a [`Budget`]. It is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Share {
    /// A share of nothing yet.
    pub(super) fn of(budget: &Budget) -> Self {
        Self {
            budget: budget.clone(),
            bytes: 0,
        }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds this many bytes from now on, as more of the body has come.
    pub(super) fn hold(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.bytes);
        self.bytes = self.bytes.saturating_add(more);
        self.budget.0.held.fetch_add(more, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
            self.budget.wake_next();
        }
    }
}

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

    /// The share of one delivery, of nothing yet.
    pub(super) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            bytes: 0,
        }
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
    /// Whether another piece may be received. A delivery never waits for itself, so that one that
    /// is larger than the budget gets through alone.
    pub(super) fn has_room(&self) -> bool {
        let held = self.budget.0.held.load(Ordering::Relaxed);
        held.saturating_sub(self.bytes) < self.budget.0.limit
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.budget.0.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Ready when there may be room again. Whoever finds it wakes the next one.
    pub(super) fn freed(&self) -> OwnedNotified {
        Arc::clone(&self.budget.0.freed).notified_owned()
    }

    pub(super) fn wake_next(&self) {
        self.budget.0.freed.notify_one();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
            self.wake_next();
        }
    }
}

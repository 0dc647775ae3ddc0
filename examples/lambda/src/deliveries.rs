//! List of the events that the handler ran on, in place of what a service does with an event.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use scrupp_verify_core::events::Event;

/// Number of events in the list. The oldest is removed first, so memory is bounded.
const KEPT: usize = 1000;

static DELIVERIES: Mutex<VecDeque<Event>> = Mutex::new(VecDeque::new());

/// Adds an event.
pub(crate) fn add(event: Event) {
    let mut deliveries = DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner);
    if deliveries.len() == KEPT {
        deliveries.pop_front();
    }
    deliveries.push_back(event);
}

/// Returns the latest 1000 events, the oldest first.
pub(crate) fn all() -> VecDeque<Event> {
    let deliveries = DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner);
    deliveries.clone()
}

//! A list of handled events. Replace this module with the work of your service.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use scrupp_verify_core::events::Event;

/// Maximum number of events in the list.
const KEPT: usize = 1000;

static DELIVERIES: Mutex<VecDeque<Event>> = Mutex::new(VecDeque::new());

/// Adds an event. If the list is full, removes the oldest event first.
pub(crate) fn add(event: Event) {
    let mut deliveries = DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner);
    if deliveries.len() == KEPT {
        deliveries.pop_front();
    }
    deliveries.push_back(event);
}

/// Returns the latest 1000 events, oldest first.
pub(crate) fn all() -> VecDeque<Event> {
    let deliveries = DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner);
    deliveries.clone()
}

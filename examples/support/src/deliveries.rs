//! The events that the handler ran on: stands in for what a service does with them.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use scrupp_verify_core::events::Event;

/// The latest ones only, so that memory is bounded.
const KEPT: usize = 1000;

static DELIVERIES: Mutex<VecDeque<Event>> = Mutex::new(VecDeque::new());

/// Adds one.
pub fn add(event: Event) {
    let mut deliveries = DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner);
    if deliveries.len() == KEPT {
        deliveries.pop_front();
    }
    deliveries.push_back(event);
}

/// In the order in which they came.
#[must_use]
pub fn all() -> VecDeque<Event> {
    let deliveries = DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner);
    deliveries.clone()
}

//! Failures of real servers and clients, as reported for webhook receivers.
//!
//! No acknowledged delivery is lost, and no genuine delivery is rejected for long.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod readme;
mod redis;
mod servers;
mod stores;
mod verify;

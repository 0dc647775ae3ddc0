//! Failures that receivers of webhooks report from the field, over sockets and against real servers.
//! Nothing acknowledged is lost, and nothing genuine is rejected for long.
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

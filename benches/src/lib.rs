//! Deliveries, and a check written by hand, for all programs of the benchmarks.

#[cfg(feature = "bench")]
pub mod by_hand;
pub mod delivery;
#[cfg(feature = "bench")]
pub mod scheme;
pub mod service;

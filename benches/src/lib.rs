//! What the programs of the benchmark share: deliveries, and the check as people write it by hand.

#[cfg(feature = "bench")]
pub mod by_hand;
pub mod delivery;
#[cfg(feature = "bench")]
pub mod scheme;
pub mod service;

//! What the programs of the benchmark share: deliveries, and the check as people write it by hand.

pub mod by_hand;
pub mod delivery;
pub mod scheme;
pub mod service;

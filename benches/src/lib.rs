//! What the programs of the benchmark share: deliveries, and the check as people write it by hand.

#[cfg(feature = "bench")]
pub mod by_hand;
pub mod delivery;
#[cfg(feature = "bench")]
pub mod scheme;
pub mod service;

/// The programs of the comparison with other crates.
#[cfg(all(doctest, feature = "bench"))]
#[doc = include_str!("../../COMPARE.md")]
struct Compare;

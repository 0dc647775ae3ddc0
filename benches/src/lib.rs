//! Deliveries, and a check written by hand, for all programs of the benchmarks.

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

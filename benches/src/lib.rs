//! Deliveries and a hand-written check for all benchmark programs.

#[cfg(feature = "bench")]
pub mod by_hand;
pub mod delivery;
#[cfg(feature = "bench")]
pub mod scheme;
pub mod service;

/// Runs the programs in the comparison with other crates as doc tests.
#[cfg(all(doctest, feature = "bench"))]
#[doc = include_str!("../../COMPARE.md")]
struct Compare;

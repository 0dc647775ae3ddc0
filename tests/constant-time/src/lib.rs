//! Does verification take the same path, and the same time, whatever the secret is?
//!
//! `scripts/check-constant-time` asks in two ways, and each of them about [`leaky`] as well, which
//! has to be found out:
//!
//! - `src/bin/undefined.rs`, under Valgrind's Memcheck: what is made of the secret counts as
//!   undefined, and Memcheck reports each branch and each index that depends on it.
//! - `src/bin/timing.rs`: the time until a candidate is rejected, by where it differs from the tag.

pub mod leaky;
pub mod memcheck;

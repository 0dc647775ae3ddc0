//! Checks that the branches and the time of a verification do not depend on the secret.
//!
//! `scripts/check-constant-time` runs two programs. Each of them also runs on [`leaky`], and must
//! detect the leak.
//!
//! - `src/bin/undefined.rs` marks the secret as undefined under Valgrind's Memcheck, which reports
//!   each branch and each index that depends on it.
//! - `src/bin/timing.rs` measures whether the time that a rejection takes depends on where the received
//!   tag differs.

pub mod leaky;
pub mod memcheck;

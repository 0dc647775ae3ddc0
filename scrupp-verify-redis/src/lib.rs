//! Handles each of Scrupp's deliveries once, across all processes that share a Redis (7 or later)
//! or Valkey: [`RedisStore`], for `.dedup(store)` of the adapters.
//!
//! # Which store
//!
//! | | `MemoryStore` | [`RedisStore`] |
//! |---|---|---|
//! | processes | one | any number |
//! | remembers across a restart | no | yes, as far as Redis persists |
//! | holds | a set number of deliveries, then rejects | what fits into Redis |
//! | costs | a microsecond | a round trip to claim, and one to commit |
//! | can fail | when it is full | as any network service: then Scrupp gets 503 and tries again |
//!
//! # What happens when Redis fails
//!
//! - **Redis is down, slow or read-only:** every delivery is answered 503, and no handler runs. The
//!   store reconnects by itself.
//! - **Redis restarts:** what it had not yet written to disk is forgotten. With `appendfsync
//!   everysec`, its usual setting, that is about a second's worth of commits: such a delivery can
//!   be handled again if it comes again. With `appendfsync always` nothing is forgotten.
//! - **A replica takes over:** replication is asynchronous, so the new master may not know of the
//!   last claims and commits. A delivery that is in flight can then be claimed twice, and one that
//!   was just handled can be handled again.
//! - **Redis evicts keys:** a `maxmemory-policy` other than `noeviction` forgets deliveries at
//!   will. Give the store a Redis, or a database in it, that does not evict.
//!
//! So claims save a handler from doing its work twice, in all but rare accidents; where that must
//! not happen even then, make the work itself idempotent, as by a unique key in one's database.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod error;
mod store;

pub use error::{RedisStoreError, RedisStoreErrorKind};
pub use store::RedisStore;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;

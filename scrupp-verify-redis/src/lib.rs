//! Handles each of Scrupp's deliveries once, across all processes that share a Redis (7 or later)
//! or Valkey. [`RedisStore`] is for `.dedup(store)` of the adapters.
//!
//! `STORES.md` in the repository compares the stores.
//!
//! # When Redis fails
//!
//! While the store has no Redis to write to, the adapter rejects every delivery with 503 and no handler
//! runs. The store recovers without a restart of the process. The times are measured on one machine:
//!
//! | failure | what the store does | first success |
//! |---|---|---|
//! | Redis closes the connection, or restarts | connects again within the same operation | with the first operation after Redis accepts connections |
//! | the primary becomes a replica (`READONLY`) | replaces the connection at once and repeats the operation | 3 ms after the address points to the new primary |
//! | a replica has lost its primary (`MASTERDOWN`) | the same | the same |
//! | an open connection goes silent | replaces the connection if a request has had no reply for 2.5 s | 3.1 s, after three operations that timed out |
//! | Redis loads its data (`LOADING`) | repeats the operation within its second and keeps the connection | at most 0.1 s after Redis has loaded |
//! | Redis stalls for seconds | keeps releases on the connection of their claim | no claim is left after a stall of 1, 2, 3 or 5 s |
//!
//! The kernel closes a connection whose other end is gone: keep-alive probes start after 10 s. On
//! Linux, 20 s without an acknowledgement end the connection.
//!
//! # What Redis can forget
//!
//! - **Redis restarts:** Redis loses what it had not written to disk. With `appendfsync everysec`, its
//!   usual setting, that is about one second of commits. Such a delivery is handled again if Scrupp
//!   sends it again. With `appendfsync always`, nothing is lost.
//! - **A replica takes over:** replication is asynchronous, so the new primary may lack the last
//!   claims and commits. A delivery in flight can then be claimed twice, and one that was just handled
//!   can be handled again. The old primary accepts operations until it is demoted, and then loses
//!   them. With `min-replicas-to-write 1`, it rejects them if it has had no replica for some seconds.
//! - **Redis evicts keys:** every `maxmemory-policy` but `noeviction` can evict a delivery. Give the
//!   store a Redis that does not evict.
//!
//! So a claim saves a handler from doing its work twice, except after one of these failures. If
//! the work must never be done twice, make it idempotent, for example by a unique key in a database.
//!
//! # Servers
//!
//! | Redis | constructor | feature |
//! |---|---|---|
//! | a server, or an address that always points to the primary | [`RedisStore::new`] | |
//! | a Redis Cluster | `RedisStore::cluster` | `cluster` |
//! | a primary that Sentinel watches | `RedisStore::sentinel` | `sentinel` |
//! | a connection that the service already has | [`RedisStore::from_connection`] | |
//!
//! In the first three, the store replaces its connections as described above, and follows a failover.
//! Measured on one machine, from when the servers had switched:
//!
//! | failure | what the store does | first success |
//! |---|---|---|
//! | a primary of a Cluster is killed | asks the other nodes every 0.1 s | after 0.1 s |
//! | a primary of a Cluster goes silent | asks the other nodes after 0.5 s, and keeps their connections | after 0.9 s |
//! | a slot is moved (`MOVED`, `ASK`) | sends the operation to the node that has it | with the same operation |
//! | a primary behind Sentinel is killed or demoted | asks the sentinels every 0.1 s | after 0.1 s |
//! | a primary behind Sentinel goes silent | asks the sentinels if a request has had no reply for 2.5 s | after 0.2 s, but not before 3.1 s of silence |
//! | a sentinel is silent, gone, or has missed a failover | takes the reply of another | with the same operation |
//!
//! While a slot of a Cluster has no primary, Redis rejects operations on all keys. With
//! `cluster-require-full-coverage no`, the other keys can be used.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "cluster")]
mod cluster;
mod connection;
mod error;
#[cfg(feature = "sentinel")]
mod sentinel;
mod store;
mod url;

pub use error::{RedisStoreError, RedisStoreErrorKind};
pub use store::RedisStore;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;

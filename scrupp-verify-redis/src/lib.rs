//! A store of claims in Redis (7 or later) or Valkey, shared by any number of processes.
//!
//! [`RedisStore`] implements [`DeliveryStore`](scrupp_verify_core::dedup::DeliveryStore). Pass the store to
//! `ScruppVerify::dedup` of an adapter. Each delivery is then handled once across all processes that use
//! the same Redis. `STORES.md` in the repository compares the stores.
//!
//! # Servers
//!
//! Each kind of server has its own constructor:
//!
//! | server | constructor | feature |
//! |---|---|---|
//! | one server, or an address that always points to the primary | [`RedisStore::new`] | |
//! | Redis Cluster | `RedisStore::cluster` | `cluster` |
//! | a primary monitored by Sentinel | `RedisStore::sentinel` | `sentinel` |
//! | an existing connection of the `redis` crate | [`RedisStore::from_connection`] | |
//!
//! With the first three constructors, the store opens its own connections, replaces those that fail,
//! and follows a failover.
//!
//! # Failures
//!
//! If Redis is unavailable, a claim fails, the adapter responds with 503, and no handler runs. The store
//! recovers without a restart of the process. The times below were measured on one machine.
//!
//! | failure | behavior | first success |
//! |---|---|---|
//! | the connection is closed, or Redis restarts | reconnects within the operation | the first operation after Redis accepts connections |
//! | after a failover, the old server responds with `READONLY`, `MASTERDOWN`, `NOREPLICAS` or `MISCONF` | replaces the connection and repeats the operation | 3 ms after the address points to the new primary |
//! | an open connection is silent | replaces the connection after 2.5 s without a response | after 3.1 s and three operations that timed out |
//! | Redis loads its data (`LOADING`) | repeats the operation for 0.8 s on the same connection | at most 0.1 s after Redis has loaded its data |
//! | Redis stalls for 1, 2, 3 or 5 s | sends each release on the connection of its claim | after the stall, with no claim left behind |
//!
//! TCP keep-alive probes start after 10 s without traffic. On Linux, the kernel also closes a connection
//! whose data has not been acknowledged for 20 s.
//!
//! In a Redis Cluster and behind Sentinel, the times are measured from the end of the servers' own failover:
//!
//! | failure | behavior | first success |
//! |---|---|---|
//! | a primary of a cluster is killed | asks all nodes for their slots every 0.1 s | after 0.1 s |
//! | a primary of a cluster is silent | asks all nodes after 0.5 s, on their existing connections | after 0.9 s |
//! | a slot is moved (`MOVED`, `ASK`) | sends the operation to the node that has the slot | the same operation |
//! | a primary behind Sentinel is killed or demoted | asks the sentinels every 0.1 s | after 0.1 s |
//! | a primary behind Sentinel is silent | asks the sentinels after 2.5 s without a response | after 0.2 s, but not before 3.1 s of silence |
//! | a sentinel is silent, unreachable or out of date | uses the response of another sentinel | the same operation |
//!
//! While a slot has no primary, a Redis Cluster rejects operations on all keys. With
//! `cluster-require-full-coverage no`, the keys of other slots stay available.
//!
//! # Data loss
//!
//! After the following failures, a delivery may be handled twice. If that is harmful, make the handler
//! idempotent, for example with a unique key in a database.
//!
//! - **Restart:** Redis loses the writes that are not on disk yet. With `appendfsync everysec`, these are
//!   the writes of about the last second. With `appendfsync always`, there are none.
//! - **Failover:** replication is asynchronous, so the new primary may lack the last claims and commits.
//!   The old primary accepts writes until it is demoted, and then loses them. With
//!   `min-replicas-to-write 1`, it rejects writes after a few seconds without a replica.
//! - **Eviction:** with any `maxmemory-policy` other than `noeviction`, Redis can evict a delivery. Use a
//!   Redis that does not evict keys.
//!
//! # Features
//!
//! No feature is enabled by default.
//!
//! - `cluster`: `RedisStore::cluster`.
//! - `sentinel`: `RedisStore::sentinel`.
//! - `tls`: `rediss://` URLs, with rustls and the certificates of the operating system. If the process has
//!   no rustls crypto provider yet, the store installs ring.

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

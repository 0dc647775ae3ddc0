//! A store of claims in SQLite or PostgreSQL, built on [`sqlx`].
//!
//! [`SqlxStore`] implements [`DeliveryStore`](scrupp_verify_core::dedup::DeliveryStore). Pass the store to
//! `ScruppVerify::dedup` of an adapter. Each delivery is then handled once across all processes that use the
//! same database. A restart loses no claim and no acknowledgement. `STORES.md` in the repository compares
//! the stores.
//!
//! Restart the processes after replacing a SQLite file, because a running store rejects the new file.
//!
//! # Transactions
//!
//! `SqlxStore::commit_in` acknowledges a delivery in the handler's own transaction. The effects of the
//! handler and the acknowledgement are committed together or not at all.
//!
//! 1. Take the claim with the extractor `ScruppClaim` of the adapter.
//! 2. Begin a transaction. With SQLite, use `BEGIN IMMEDIATE`.
//! 3. Write the effects.
//! 4. Call `commit_in` with the claim and the transaction.
//! 5. If `commit_in` returns true, commit and respond with a 2xx. Otherwise, roll back and respond with
//!    503.
//!
//! SQLite has one writer at a time, so keep the transaction short. Claims of other deliveries wait until
//! the transaction ends, and fail if they wait longer than their busy timeout.
//!
//! The package `example-transaction` in the repository is a complete server.
//!
//! # Schema
//!
//! `SqlxStore::migrate` creates two tables if they are missing. To create them with your other migrations,
//! run `schema/sqlite.sql` or `schema/postgres.sql` of this crate. The tables have these columns:
//!
//! | table | column | content |
//! |---|---|---|
//! | `scrupp_deliveries` | `id` | the id of the delivery: 16 bytes |
//! | `scrupp_deliveries` | `token` | the token of the claim: 16 bytes. `NULL` after the acknowledgement |
//! | `scrupp_deliveries` | `expires_at` | the end of the lease or of the retention: milliseconds since 1970 in SQLite, `timestamptz` in PostgreSQL |
//! | `scrupp_deliveries_format` | `format` | the format of the tables: 1 in this release |
//! | `scrupp_deliveries_format` | `oldest` | the lowest format that a release must support to use the tables |
//!
//! The claim of a new delivery removes up to four expired deliveries.
//!
//! If the tables exist, a PostgreSQL role needs these privileges:
//!
//! ```sql
//! GRANT SELECT, INSERT, UPDATE, DELETE ON scrupp_deliveries TO service;
//! GRANT SELECT ON scrupp_deliveries_format TO service;
//! ```
//!
//! # Features
//!
//! No feature is enabled by default. Enable at least one database.
//!
//! - `sqlite`: SQLite, for the processes of one machine.
//! - `postgres`: PostgreSQL, for any number of processes. Works with PgBouncer in transaction mode.
//! - `tls`: TLS to PostgreSQL, with rustls, ring and the certificates of the operating system.

#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "no database is enabled")
)]

mod error;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod table;

pub use error::{SqlxStoreError, SqlxStoreErrorKind};
pub use store::SqlxStore;

#[doc = include_str!("../README.md")]
#[cfg(all(doctest, feature = "sqlite"))]
struct Readme;

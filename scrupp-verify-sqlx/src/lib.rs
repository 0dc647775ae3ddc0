//! Stores of claims in SQLite and PostgreSQL, on [`sqlx`]: [`SqlxStore`], for `.dedup(store)` of the
//! adapters.
//!
//! Each delivery is handled once with the database that the service already has, and a restart forgets
//! nothing. A handler can acknowledge a delivery in the transaction of its own effects, by
//! `SqlxStore::commit_in`.
//!
//! # Features
//!
//! - `sqlite`: a file of SQLite, for the processes of one machine.
//! - `postgres`: PostgreSQL, for any number of processes, also behind PgBouncer in transaction mode.
//! - `tls`: TLS to PostgreSQL.

#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "there is no database to use it")
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

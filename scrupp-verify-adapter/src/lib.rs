//! The parts that the server adapters of scrupp-verify share: they read a delivery, verify it, and
//! claim it for the handler.
//!
//! `scrupp-verify-tower` and `scrupp-verify-actix` are built on this crate. An adapter for another
//! server that runs on Tokio has four parts of its own: a view of the request's headers, the
//! request's body as an [`http_body::Body`], the body that the handler gets, and the response to a
//! rejection. Everything else happens here, in one async function: [`Config::receive`].
//!
//! # The order of a request
//!
//! | step | function | rejected with |
//! |---|---|---|
//! | 1. check that there is a Tokio runtime with a timer | [`Config::check_head`] | 503 |
//! | 2. read the clock | [`Config::check_head`] | 503 |
//! | 3. check the headers, the window and the declared length | [`Config::check_head`] | 401, 413 |
//! | 4. look up the account | [`Config::receive`] | 503 |
//! | 5. read the body, within the limit, the deadline and the budget | [`Config::receive`] | 400, 408, 413, 503 |
//! | 6. compute and compare the MAC | [`Config::receive`] | 401 |
//! | 7. claim the delivery in the store | [`Config::receive`] | 503; 200 for a duplicate |
//! | 8. run the handler | the adapter | |
//! | 9. commit the claim after a 2xx, release it otherwise | [`HandlerGuard::complete`] | |
//! | 10. read the rest of a rejected body, behind the head of the response | [`Config::drain`] | |
//!
//! No chunk of the body is polled before step 5, so a server that waits with `100 Continue` until
//! then never asks for the body of a request that steps 1 to 4 reject.
//!
//! # Memory
//!
//! A body that is complete in one chunk is handed on without a copy. Any other body is copied chunk
//! by chunk, because a chunk may keep a much larger read buffer of the server alive.
//!
//! A body of up to 16 KiB never waits for the [`Budget`]. A body that declares more waits before its
//! first chunk is polled, and one that declares no length once it exceeds 16 KiB. Each acquires everything that
//! it may need in one step, so no delivery waits while it holds a part of the budget.
//!
//! # Observer
//!
//! [`Config::observe`] sets an [`Observer`], which gets an [`Observation`] of each thing that a service may
//! want to count or to measure. Without one, no clock is read for it and nothing is allocated.
//!
//! # Log
//!
//! With the feature `tracing`, events have the target `scrupp_verify`. `delivery_id` needs the feature
//! `dedup`; `account` is an [`AccountId`](scrupp_verify_core::AccountId), if accounts are looked up.
//!
//! | message | level | fields | when |
//! |---|---|---|---|
//! | delivery handled | info | `outcome` "handled", `status`, `delivery_id`, `account`, `age_secs`, `secret_index` | the handler responded with a 2xx |
//! | delivery not handled | info | `outcome` "failed", `status`, `delivery_id`, `account`, `age_secs`, `secret_index` | the handler responded otherwise, or failed without a response |
//! | delivery handled before | info | `outcome` "duplicate", `status`, `delivery_id`, `account`, `age_secs`, `secret_index` | the delivery is a duplicate |
//! | the handler was dropped before it responded | warn | `outcome` "dropped" or "panicked", `delivery_id`, `account`, `age_secs`, `secret_index` | the client disconnected, an outer time-out passed, or the server shuts down; or the handler panicked |
//! | the reason of the rejection | info | `kind`, `delivery_id`, `account`, `age_secs` | a rejection that the sender causes; `age_secs` is at most a day |
//! | the reason of the rejection | error | `kind`, `delivery_id`, `account` | a rejection that the receiver causes |
//! | a verified delivery is not an event | error | `delivery_id`, `error` | an extractor cannot read the event |
//! | the delivery store failed | error | `operation`, `delivery_id`, `error` | an operation of the store failed, or took too long |
//! | the handler took longer than its lease, and the delivery was claimed again | error | `delivery_id` | the delivery may be handled twice |
//! | an outer ScruppVerify has already claimed this delivery: the inner one does not use its store | warn | `delivery_id` | |
//! | the account lookup failed | error | `error` | |
//! | an account lookup took longer than the body time-out | error | | |
//! | too many account lookups run, and none ended in time | error | | 64 lookups run, and others wait |
//! | a claim token cannot be generated | error | `error` | the operating system gives no random numbers |
//! | a handler extracts a verified delivery, but ScruppVerify does not wrap it | error | | |
//! | a handler extracts a claim, but ScruppVerify with a store does not wrap it | error | | |
//! | the observer panicked | error | | |
//!
//! # Features
//!
//! - `dedup`: `Dedup`, which claims each delivery in a store.
//! - `events`: the event of a verified delivery, for extractors.
//! - `tracing`: the log.

#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod budget;
#[cfg(feature = "dedup")]
mod claims;
#[cfg(not(feature = "dedup"))]
#[path = "no_claims.rs"]
mod claims;
mod config;
#[cfg(feature = "events")]
mod event;
mod handler;
mod log;
mod observer;
mod receive;
mod setters;
mod shared_keyring;

pub use budget::Budget;
#[cfg(feature = "dedup")]
pub use claims::read_claim;
pub use claims::{Claimed, Dedup};
pub use config::Config;
#[cfg(feature = "events")]
pub use event::read_event;
pub use handler::HandlerGuard;
pub use observer::{Observation, Observer, StoreOperation, StoreResult};
pub use receive::{Accepted, Rejected};
pub use shared_keyring::SharedKeyring;

/// Marks the response to a duplicate, in its extensions.
///
/// Outer middleware can check for it to detect that the handler did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;

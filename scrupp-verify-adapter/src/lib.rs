//! The parts that the server adapters of scrupp-verify share: reading, verifying and claiming a
//! delivery.
//!
//! `scrupp-verify-tower` and `scrupp-verify-actix` are built on this crate. An adapter for another
//! server that runs on Tokio provides four parts:
//!
//! - the request's headers, as [`Headers`](scrupp_verify_core::Headers),
//! - the request's body, as an [`http_body::Body`],
//! - the body that the handler gets,
//! - the response to a rejection.
//!
//! [`Config::receive`], [`HandlerGuard::complete`] and [`Config::drain`] do everything else.
//!
//! # Examples
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use scrupp_verify_adapter::Config;
//! use scrupp_verify_core::{Secret, Signer, UnixTime};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::new("topsecret")?;
//! let config: Config<(), ()> = Config::new(secret.clone(), ());
//!
//! // Sign a body as Scrupp does.
//! let now = UnixTime::now().ok_or("the clock returned no time")?;
//! let headers = Signer::new(&secret).sign(now, b"{}");
//!
//! let mut genuine = Full::new(Bytes::from("{}"));
//! let received = config.receive(&headers, &(), None, &mut genuine).await;
//! let accepted = received.map_err(|rejected| rejected.rejection)?.ok_or("a duplicate")?;
//! assert_eq!(accepted.delivery.body(), "{}");
//! // After the handler, pass the status of its response.
//! accepted.handler.complete(Some(200), false).await;
//!
//! let mut tampered = Full::new(Bytes::from("[]"));
//! let received = config.receive(&headers, &(), None, &mut tampered).await;
//! assert_eq!(received.unwrap_err().rejection.status(), 401);
//! # Ok(())
//! # }
//! ```
//!
//! # Steps
//!
//! An adapter handles each request in these steps:
//!
//! | step | function | rejected with |
//! |---|---|---|
//! | 1. check that there is a Tokio runtime with a timer | [`Config::check_head`] | 503 |
//! | 2. read the clock | [`Config::check_head`] | 503 |
//! | 3. check the headers, the timestamp and the declared length | [`Config::check_head`] | 401, 413 |
//! | 4. look up the account | [`Config::receive`] | 503 |
//! | 5. read the body, within the limit, the deadline and the budget | [`Config::receive`] | 400, 408, 413, 503 |
//! | 6. compute and compare the MAC | [`Config::receive`] | 401 |
//! | 7. claim the delivery in the store | [`Config::receive`] | 503; 200 for a duplicate |
//! | 8. run the handler | the adapter | |
//! | 9. commit the claim after a 2xx, release it otherwise | [`HandlerGuard::complete`] | |
//! | 10. drain a rejected body, after the head of the response is sent | [`Config::drain`] | |
//!
//! No chunk of the body is polled before step 5. A server that sends `100 Continue` at the first poll
//! does not send it for a request that steps 1 to 4 reject.
//!
//! # Memory
//!
//! A body that is complete in one chunk is not copied. Any other body is copied chunk by chunk,
//! because a chunk may keep a much larger read buffer of the server alive.
//!
//! A body of up to 16 KiB never waits for the [`Budget`]. A body with a larger declared length waits before
//! its first chunk is polled. A body without a declared length waits once it exceeds 16 KiB. Each delivery
//! reserves in one step all bytes that it may need, so no delivery waits while it holds a reservation.
//!
//! # Observer
//!
//! [`Config::observe`] sets an [`Observer`], which is called with each [`Observation`]. Without an
//! observer, nothing is measured or allocated for it.
//!
//! # Log
//!
//! With the feature `tracing`, the adapters log the events in this table, with the target `scrupp_verify`.
//! The field `delivery_id` needs the feature `dedup`. The field `account` is an
//! [`AccountId`](scrupp_verify_core::AccountId), if accounts are looked up.
//!
//! | message | level | fields | when |
//! |---|---|---|---|
//! | delivery handled | info | `outcome` "handled", `status`, `delivery_id`, `account`, `age_secs`, `secret_index` | the handler responded with a 2xx |
//! | delivery not handled | info | `outcome` "failed", `status`, `delivery_id`, `account`, `age_secs`, `secret_index` | the handler responded otherwise, or failed without a response |
//! | delivery already handled | info | `outcome` "duplicate", `status`, `delivery_id`, `account`, `age_secs`, `secret_index` | the delivery is a duplicate |
//! | the handler was dropped before it responded | warn | `outcome` "dropped" or "panicked", `delivery_id`, `account`, `age_secs`, `secret_index` | the client disconnected, an outer timeout expired, the server shut down, or the handler panicked |
//! | *the reason for the rejection* | info | `kind`, `delivery_id`, `account`, `age_secs` | the sender is the cause; `age_secs` is clamped to a day |
//! | *the reason for the rejection* | error | `kind`, `delivery_id`, `account` | the receiver is the cause |
//! | a verified delivery is not an event | error | `delivery_id`, `error` | an extractor cannot read the event |
//! | the delivery store failed | error | `operation`, `delivery_id`, `error` | an operation of the store failed, or took too long |
//! | the handler took longer than its lease, and the delivery was claimed again | error | `delivery_id` | the delivery may have been handled twice |
//! | an outer ScruppVerify has already claimed this delivery: the inner one does not use its store | warn | `delivery_id` | two layers with a store wrap the handler |
//! | the account lookup failed | error | `error` | the delivery is rejected with 503 |
//! | an account lookup took longer than the body timeout | error | | the delivery is rejected with 503 |
//! | too many account lookups are running, and none ended in time | error | | 64 lookups are running, and the delivery is rejected with 503 |
//! | a claim token cannot be generated | error | `error` | the operating system returns no random numbers |
//! | a handler extracts a verified delivery, but ScruppVerify does not wrap it | error | | the response is a 500 |
//! | a handler extracts a claim, but no ScruppVerify with a store wraps it | error | | the response is a 500 |
//! | the observer panicked | error | | the delivery is not affected |
//!
//! # Features
//!
//! - `dedup`: [`Dedup`], to claim each delivery in a store.
//! - `events`: `read_event`, for extractors.
//! - `tracing`: the log events.
//!
//! None is enabled by default.

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

/// A marker in the extensions of the response to a duplicate.
///
/// Outer middleware can check the response for this marker to detect that the handler did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;

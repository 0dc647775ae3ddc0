//! Verification of the webhook deliveries of [Scrupp](https://scrupp.com), a B2B data service.
//!
//! This crate checks that a delivery was signed by Scrupp, was not modified, and is fresh.
//! Verification performs no I/O, reads no clock and allocates no memory, so the crate works with
//! any server.
//!
//! For axum, warp, hyper and any other `tower::Service`, use
//! [`scrupp-verify-tower`](https://docs.rs/scrupp-verify-tower). For actix-web, use
//! [`scrupp-verify-actix`](https://docs.rs/scrupp-verify-actix). Both are built on this crate.
//!
//! # Examples
//!
//! ```
//! use scrupp_verify_core::{RejectionKind, Secret, UnixTime, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::new(Secret::new("topsecret")?);
//! let headers = [
//!     ("X-Scrupp-Timestamp", "1735471800"),
//!     (
//!         "X-Scrupp-Signature",
//!         "sha256=b928f18f6ff69d1e2625f45e018cf4a890e64726c1bf849d9ea07484f3faf777",
//!     ),
//! ];
//! let body = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
//! let now = UnixTime::from_secs(1_735_471_805);
//!
//! let delivery = verifier.verify(&headers, body, now)?;
//! assert_eq!(delivery.verified().age_secs(), 5);
//!
//! let tampered = r#"{"event":"task.completed","process_id":6667,"status":"completed"}"#;
//! let rejection = verifier.verify(&headers, tampered, now).unwrap_err();
//! assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
//! # Ok(())
//! # }
//! ```
//!
//! # Rules
//!
//! A delivery has two headers:
//!
//! ```text
//! X-Scrupp-Timestamp: 1735471800
//! X-Scrupp-Signature: sha256=<64 hex digits>
//! ```
//!
//! This crate accepts a delivery if all of the following hold:
//!
//! 1. `X-Scrupp-Signature` and `X-Scrupp-Timestamp` occur exactly once each. A repeated header is
//!    rejected, even if the values are equal. Trailers are ignored.
//! 2. The signature is `sha256=`, in lower case, followed by 64 hex digits of either case.
//! 3. The timestamp is a number of seconds since 1970 in decimal digits, without a sign, a fraction
//!    or a leading zero, and fits in 64 bits.
//! 4. The timestamp is at most 300 s old and at most 60 s in the future, by default. See
//!    [`Tolerance`].
//! 5. The body is at most 256 KiB long, by default. See [`Policy::body_limit`]. `Content-Length` is
//!    checked before the body is read, and the received bytes are counted.
//! 6. The signature is the HMAC-SHA256 of the timestamp as received, a dot, and the body as
//!    received, under one of the secrets in the [`Keyring`]. Every secret is tried, and tags are
//!    compared in constant time.
//!
//! The checks that need only the headers come first, so a delivery that fails one of them is
//! rejected before its body is read.
//!
//! The server adapters add two rules:
//!
//! 7. The body is complete within 10 s, by default.
//! 8. With a store, the event has not been acknowledged before. A 2xx from the handler acknowledges
//!    an event. After any other response, the next attempt runs the handler again.
//!
//! This crate does not check:
//!
//! - TLS. Terminate TLS in the server or in a proxy in front of the server.
//! - The path, the query, the method, and all other headers. Scrupp does not sign them.
//! - The content of the event. With the feature `events`, the module `events` parses it.
//!
//! # Streaming
//!
//! [`Verifier::begin`] checks the headers and returns a [`Delivery`], which hashes the body in
//! chunks of any size. [`Delivery::finish`] then checks the signature. Do not process the body
//! before `finish` returns `Ok`.
//!
//! To hash a large, complete body without blocking an executor thread, use
//! [`UnverifiedHead::verify_in_steps`].
//!
//! # Clocks
//!
//! The caller passes the current time. Read the clock when the headers arrive, because after a slow
//! upload, the timestamp could already be too old.
//!
//! With the feature `std`, `UnixTime::now` reads the system clock. The function returns `None` if
//! the system clock is set to a time before 1970. In this case, reject the delivery with
//! [`RejectionKind::ClockUnavailable`].
//!
//! # Features
//!
//! No feature is enabled by default.
//!
//! - `std`: `UnixTime::now`, and the conversion of `SystemTime` to [`UnixTime`].
//! - `events`: the module `events`, which parses events and checks the URLs of their results.
//!   Requires an allocator.
//! - `dedup`: the module `dedup`, with the rules for handling an event once and, with `std`, an
//!   in-memory store. Enables `events`.
//!
//! # `no_std`
//!
//! The crate is `no_std`. Without the features `std` and `events`, no allocator is required.

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

#[cfg(feature = "events")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "dedup")]
pub mod dedup;
#[cfg(feature = "events")]
pub mod events;

mod account;
mod account_id;
mod config_error;
mod delivery;
mod headers;
mod keyring;
mod mac;
mod policy;
mod rejection;
mod secret;
mod signer;
mod time;
mod verified;
mod verifier;

pub use account::Account;
pub use account_id::AccountId;
pub use config_error::ConfigError;
pub use delivery::{Delivery, UnverifiedHead, VerifySteps};
pub use headers::Headers;
pub use keyring::Keyring;
pub use policy::Policy;
pub use rejection::{Rejection, RejectionKind};
pub use secret::Secret;
pub use signer::{SignedHeaders, Signer};
pub use time::{Clock, Tolerance, UnixTime};
pub use verified::{Verified, VerifiedDelivery};
pub use verifier::Verifier;

/// The name of the header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-scrupp-signature";

/// The name of the header that carries the time of the signature, in lower case.
pub const TIMESTAMP_HEADER: &str = "x-scrupp-timestamp";

#[doc = include_str!("../README.md")]
#[cfg(all(doctest, feature = "std", feature = "events"))]
struct Readme;

//! Verification of the webhook deliveries that [Scrupp](https://scrupp.com) signs.
//!
//! This crate decides whether a delivery is genuine, whole and fresh. It does no I/O, has no
//! clock, allocates nothing and needs no `std`, so it fits into any server. `scrupp-verify-tower`
//! (axum, warp, hyper and any other `tower::Service`) and `scrupp-verify-actix` are built on it.
//!
//! # Scheme
//!
//! ```text
//! X-Scrupp-Timestamp: 1735471800
//! X-Scrupp-Signature: sha256=<64 hex digits>
//!
//! signed content = timestamp header bytes + "." + raw body bytes
//! signature      = HMAC-SHA256(secret, signed content)
//! ```
//!
//! # Examples
//!
//! ```
//! use scrupp_verify_core::{Secret, Signer, UnixTime, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::new("topsecret")?;
//! let now = UnixTime::from_secs(1_735_471_800);
//! let head = Signer::new(&secret).sign(now, b"hello world"); // what Scrupp does
//!
//! let verifier = Verifier::new(secret);
//! // A complete body,
//! let delivery = verifier.verify(&head, b"hello world", now)?;
//! let verified = *delivery.verified();
//! // or chunks: bad headers are rejected before the body is read.
//! let mut delivery = verifier.begin(&head, now)?;
//! delivery.update(b"hello ")?;
//! delivery.update(b"world")?;
//! assert_eq!(delivery.finish()?, verified);
//!
//! assert!(verifier.verify(&head, b"hello w0rld", now).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # Rules
//!
//! 1. Each of the two headers comes exactly once. Twice is rejected, even if identical.
//! 2. The timestamp is `[1-9][0-9]*` and fits in 64 bits. Its bytes enter the MAC as received.
//! 3. It is at most 300 s old and 60 s ahead ([`Tolerance`]), compared without overflow.
//! 4. The signature is `sha256=` and 64 hex digits, compared in constant time at full length.
//! 5. All secrets of the [`Keyring`] are tried, without stopping at a match.
//! 6. The headers are checked before the body is read.
//! 7. The bytes of a body are counted as received; a declared length only rejects early.
//! 8. A client learns nothing but the status: the reason stays in the [`Rejection`].
//!
//! # Features
//!
//! - `std`: the system clock (`UnixTime::now`) and conversions from `std::time`.
//! - `events`: the event of a delivery, and the URLs of its result; needs an allocator.
//! - `dedup`: the rules for handling a delivery once and, with `std`, a store in memory.

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

/// The header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-scrupp-signature";

/// The header that carries the time of signing, in lower case.
pub const TIMESTAMP_HEADER: &str = "x-scrupp-timestamp";

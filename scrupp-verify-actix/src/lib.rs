//! An [actix-web](https://docs.rs/actix-web) middleware that lets through only what
//! [Scrupp](https://scrupp.com) signed.
//!
//! ```no_run
//! use actix_web::{App, HttpServer, web};
//! use scrupp_verify_actix::{Secret, ScruppVerify};
//!
//! async fn delivered(body: web::Bytes) -> &'static str {
//!     "" // only what Scrupp sent gets here
//! }
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = std::env::var("SCRUPP_WEBHOOK_SECRET").expect("SCRUPP_WEBHOOK_SECRET");
//! let secret = Secret::new(secret)?;
//! let verify = ScruppVerify::new(secret);
//! HttpServer::new(move || {
//!     App::new().service(
//!         web::resource("/webhooks/scrupp")
//!             .wrap(verify.clone())
//!             .route(web::post().to(delivered)),
//!     )
//! })
//! .bind("127.0.0.1:3000")?
//! .run()
//! .await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`scrupp_verify_core`] decides what is accepted, and
//! [`scrupp_verify_adapter`] in which order a request is handled. This crate connects them to
//! actix-web.
//!
//! # Responses
//!
//! | request | status |
//! |---|---|
//! | verified | that of the inner service, which gets [`Verified`] in the request's extensions |
//! | header missing, repeated or malformed; too old; in the future; no secret matches; no such account | 401 |
//! | body exceeds the limit, declared or received | 413 |
//! | body not complete in time | 408 |
//! | body broken off | 400 |
//! | clock, account lookup, store or runtime unavailable; no budget in time; same delivery in flight | 503 |
//! | duplicate of an acknowledged delivery ([`ScruppVerify::dedup`]) | 200, empty |
//!
//! The [`Rejection`] is in the extensions of the response and in the log. The sender sees only the
//! status. A rejection is a response, not an error, so middleware around this one (a logger, CORS)
//! treats it like any other response.
//!
//! A handler reads the proof as `web::ReqData<Verified>`, or from the request's extensions.
//!
//! # Behaviour of actix-web
//!
//! - **Extractors keep their limits.** An extractor that reads the body, such as `web::Bytes`, rejects
//!   a body that exceeds actix-web's `PayloadConfig`, by default 256 KiB as in the middleware. If
//!   you raise [`ScruppVerify::body_limit`], raise that as well. `ScruppEvent` has no limit of its own.
//! - **A client that closes its half of the connection** does not end its handler, because actix-web
//!   allows connections to be half-closed. The claim is released when the handler ends. With
//!   [`h1_allow_half_closed(false)`](actix_web::HttpServer::h1_allow_half_closed), the server drops
//!   the handler and the claim is released at once.
//! - **The server reads ahead** up to 256 KiB of each connection. This is not counted in
//!   [`ScruppVerify::buffer_budget`]; bound it by
//!   [`max_connections`](actix_web::HttpServer::max_connections).
//!
//! # Features
//!
//! - `dedup` (default): [`ScruppVerify::dedup`], which handles each delivery once.
//! - `events` (default): what a delivery says. Without it, no JSON parser is compiled.
//! - `tracing` (default): a log event for each delivery, with the target `scrupp_verify` and the fields
//!   in [`scrupp_verify_adapter`](scrupp_verify_adapter#log). Nothing of a header or a body is logged.

#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "dedup")]
mod claim;
#[cfg(feature = "events")]
mod event;
mod middleware;
mod rejection_body;
mod request_body;
mod service;

#[cfg(feature = "dedup")]
pub use claim::ScruppClaim;
#[cfg(feature = "events")]
pub use event::ScruppEvent;
pub use middleware::ScruppVerify;
pub use rejection_body::RejectionBody;
pub use service::ScruppVerifyService;

#[doc(no_inline)]
pub use scrupp_verify_adapter::{
    Duplicate, Observation, Observer, SharedKeyring, StoreOperation, StoreResult,
};
#[doc(no_inline)]
#[cfg(feature = "events")]
pub use scrupp_verify_core::events;
#[doc(no_inline)]
pub use scrupp_verify_core::{
    Account, AccountId, Clock, ConfigError, Keyring, Rejection, RejectionKind, Secret,
    SignedHeaders, Signer, Tolerance, UnixTime, Verified, VerifiedDelivery,
};
#[doc(no_inline)]
#[cfg(feature = "dedup")]
pub use {scrupp_verify_adapter::Dedup, scrupp_verify_core::dedup};

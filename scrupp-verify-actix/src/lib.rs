//! An [actix-web](https://docs.rs/actix-web) middleware that verifies the webhooks of
//! [Scrupp](https://scrupp.com).
//!
//! ```no_run
//! use actix_web::{App, HttpServer, Responder, web};
//! use scrupp_verify_actix::{ScruppVerify, Secret, dedup::MemoryStore};
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let secret = std::env::var("SCRUPP_WEBHOOK_SECRET").expect("SCRUPP_WEBHOOK_SECRET");
//!     let verify = ScruppVerify::new(Secret::new(secret)?).dedup(MemoryStore::default());
//!     let server = HttpServer::new(move || {
//!         let route = web::resource("/webhooks/scrupp").wrap(verify.clone());
//!         App::new().service(route.route(web::post().to(delivered)))
//!     });
//!     server.bind("127.0.0.1:3000")?.run().await?;
//!     Ok(())
//! }
//!
//! /// Runs only for genuine deliveries. After a 2xx, it does not run again for the same event.
//! async fn delivered(body: web::Bytes) -> impl Responder {
//!     format!("{} bytes", body.len())
//! }
//! ```
//!
//! See [`ScruppVerify`] for the [responses](ScruppVerify#responses), the
//! [placement](ScruppVerify#placement) among other middleware, and all settings with their defaults.
//!
//! A handler gets more than the body:
//!
//! - the event of the delivery, with the extractor `ScruppEvent`,
//! - the proof of the verification, as a `web::ReqData<Verified>` or from the request's extensions,
//! - with a store, the claim of the delivery, with the extractor `ScruppClaim`.
//!
//! Some settings of actix-web matter for deliveries:
//!
//! - **Limits of extractors.** An extractor that reads the body, such as `web::Bytes`, rejects a body
//!   that exceeds the limit of `PayloadConfig`, 256 KiB by default. If you raise
//!   [`body_limit`](ScruppVerify::body_limit), raise that limit too. `ScruppEvent` has no limit of its
//!   own.
//! - **Half-closed connections.** By default, actix-web does not stop the handler if the client
//!   closes its sending side. With
//!   [`h1_allow_half_closed(false)`](actix_web::HttpServer::h1_allow_half_closed), the server drops
//!   the handler, and the claim of the delivery is released at once.
//! - **Read-ahead.** The server reads up to 256 KiB ahead on each connection.
//!   [`buffer_budget`](ScruppVerify::buffer_budget) does not count these bytes. Limit them with
//!   [`max_connections`](actix_web::HttpServer::max_connections).
//!
//! # Features
//!
//! - `dedup` (default): [`ScruppVerify::dedup`], to handle each event once.
//! - `events` (default): the extractor `ScruppEvent`, and [`events::Event`], the content of a
//!   delivery. Adds a JSON parser as a dependency.
//! - `tracing` (default): log events with the target `scrupp_verify`. The
//!   [table](scrupp_verify_adapter#log) lists their fields. No byte of a header or a body is logged.

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

#[doc = include_str!("../README.md")]
#[cfg(all(doctest, feature = "dedup", feature = "events"))]
struct Readme;

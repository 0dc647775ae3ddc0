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
//! let secret = Secret::new(std::env::var("SCRUPP_WEBHOOK_SECRET")?)?;
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
//! What is checked, and how, is decided in [`scrupp_verify_core`]; this crate moves the bytes.
//!
//! # What becomes of a request
//!
//! | outcome | answer |
//! |---|---|
//! | verified | the service is called, with [`Verified`] in the request's extensions |
//! | header missing, repeated or malformed; too old; in the future; no secret matches; no such account | 401 |
//! | body over the limit, declared or streamed | 413 |
//! | body not complete in time | 408 |
//! | body broken off | 400 |
//! | clock, secret lookup or store out of order; same delivery in flight | 503 |
//! | delivery already acknowledged ([`ScruppVerify::dedup`]) | 200, empty |
//!
//! The [`Rejection`] is in the extensions of the response, and in `tracing`; the sender sees the
//! status only. A refusal is a response, not an error, so that middleware around this one (a
//! logger, CORS) treats it like any other.
//!
//! # What is actix-web's own
//!
//! - **Extractors keep their limits.** One that reads the body, `ScruppEvent` too, refuses a body
//!   over actix-web's `PayloadConfig`, by default 256 KiB as the middleware does. Who raises
//!   [`ScruppVerify::body_limit`] raises that as well.
//! - **A client that hangs up** does not end its handler, as actix-web allows connections to be
//!   half-closed: the claim of a delivery is then released when the handler ends. With
//!   [`h1_allow_half_closed(false)`](actix_web::HttpServer::h1_allow_half_closed) a hang-up ends
//!   the handler and releases the claim at once.
//! - **The server reads ahead** up to 256 KiB of each connection before it waits for anybody. That
//!   is not counted in [`ScruppVerify::buffer_budget`]; bound it by
//!   [`max_connections`](actix_web::HttpServer::max_connections).
//!
//! # Features
//!
//! - `tracing` (default): an event for each delivery, with the target `scrupp_verify`: the kind of
//!   a rejection, the age in seconds, the index of the secret; no byte of a header or a body.

#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod extract;
mod middleware;
mod request;
mod response_body;
mod service;
mod verified;

pub use extract::{ExtractError, ScruppEvent};
pub use middleware::ScruppVerify;
pub use response_body::RefusalBody;
pub use service::ScruppVerifyService;
pub use verified::Verified;

#[doc(no_inline)]
pub use scrupp_verify_core::{
    Account, AccountId, Clock, ConfigError, Keyring, Rejection, RejectionKind, Secret,
    SignedHeaders, Signer, Tolerance, UnixTime,
};
#[doc(no_inline)]
pub use scrupp_verify_core::{adapter::Dedup, dedup, events};

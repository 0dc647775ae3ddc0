//! A [tower](https://docs.rs/tower) layer that lets through only what
//! [Scrupp](https://scrupp.com) signed: for axum, warp, hyper, Poem, Salvo, tonic, Lambda and any
//! other [`tower::Service`](tower_service::Service) of HTTP requests.
//!
//! ```no_run
//! use axum::{Router, body::Bytes, routing::post};
//! use scrupp_verify_tower::{Secret, ScruppVerify};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = std::env::var("SCRUPP_WEBHOOK_SECRET").expect("SCRUPP_WEBHOOK_SECRET");
//! let secret = Secret::new(secret)?;
//! let app = Router::new()
//!     .route(
//!         "/webhooks/scrupp",
//!         post(|body: Bytes| async move { /* runs for genuine deliveries only */ })
//!             .layer(ScruppVerify::new(secret)),
//!     );
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`scrupp_verify_core`] decides what is accepted, and
//! [`scrupp_verify_adapter`] in which order a request is handled. This crate connects them to tower.
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
//! status.
//!
//! A handler reads the proof as `axum::Extension<Verified>`, or from the request's extensions.
//!
//! # Lambda, tonic, Loco and other tower users
//!
//! The layer takes requests with any body, and gives the service inside a [`VerifiedBody`]. So it
//! goes around a function of [`lambda_http`](https://docs.rs/lambda_http):
//!
//! ```no_run
//! use http::{Request, Response};
//! use lambda_http::{Body, Error, service_fn};
//! use scrupp_verify_tower::{Secret, ScruppVerify, VerifiedBody};
//! use tower::ServiceBuilder;
//!
//! async fn delivered(request: Request<VerifiedBody>) -> Result<Response<Body>, Error> {
//!     Ok(Response::new(Body::Empty)) // only what Scrupp sent gets here
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let secret = std::env::var("SCRUPP_WEBHOOK_SECRET").expect("SCRUPP_WEBHOOK_SECRET");
//! let secret = Secret::new(secret)?;
//! let function = ServiceBuilder::new()
//!     .layer(ScruppVerify::new(secret))
//!     .service(service_fn(delivered));
//! lambda_http::run(function).await
//! # }
//! ```
//!
//! API Gateway hands a body on as text or as Base64, and `lambda_http` decodes it: what is
//! verified is what was on the wire. Each instance of a function has a memory of its own, so that
//! [`ScruppVerify::dedup`] needs a shared store there.
//!
//! A server of [`tonic`](https://docs.rs/tonic) takes deliveries beside its services, in the axum router
//! that they are part of. With axum's features `http1` and `http2`, it serves both on one port:
//!
//! ```no_run
//! use axum::{body::Bytes, routing::post};
//! use scrupp_verify_tower::{Secret, ScruppVerify};
//! use tonic::service::Routes;
//!
//! # async fn serve(services: Routes, secret: Secret) -> std::io::Result<()> {
//! let app = services.into_axum_router().route(
//!     "/webhooks/scrupp",
//!     post(|body: Bytes| async move { /* runs for genuine deliveries only */ })
//!         .layer(ScruppVerify::new(secret)),
//! );
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app).await
//! # }
//! ```
//!
//! In [Loco](https://docs.rs/loco-rs), `Hooks::after_routes` takes the axum router and returns it. A route
//! that is added there is outside of Loco's own middleware, so the body is as Scrupp sent it:
//!
//! ```
//! use axum::{Router, body::Bytes, routing::post};
//! use scrupp_verify_tower::{Secret, ScruppVerify};
//!
//! fn with_webhook(router: Router, secret: Secret) -> Router {
//!     let delivered = post(|body: Bytes| async move { /* runs for genuine deliveries only */ });
//!     router.route("/webhooks/scrupp", delivered.layer(ScruppVerify::new(secret)))
//! }
//! # let _ = with_webhook(Router::new(), Secret::new("topsecret").unwrap());
//! ```
//!
//! The layer also works in axum 0.7. The extractors need axum 0.8.
//!
//! # Poem
//!
//! [`poem`](https://docs.rs/poem) adapts layers to its own type of requests. So put the layer around a
//! tower service that calls the endpoint, and convert the whole to an endpoint:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode, uri::Scheme};
//! use poem::{Endpoint, Route, endpoint::TowerCompatExt, handler, post, web::Data};
//! use scrupp_verify_tower::{Secret, ScruppVerify, VerifiedBody, VerifiedDelivery};
//! use tower::{Layer, service_fn};
//! # use std::convert::Infallible;
//!
//! #[handler]
//! fn delivered(Data(delivery): Data<&VerifiedDelivery<Bytes>>) -> String {
//!     format!("{} bytes", delivery.body().len())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::new("topsecret")?;
//! # let signed = scrupp_verify_tower::Signer::new(&secret)
//! #     .sign(scrupp_verify_tower::UnixTime::now().unwrap(), b"{}");
//! let webhook = service_fn(async |request: Request<VerifiedBody>| {
//!     let (head, body) = request.into_parts();
//!     let head = (head, Default::default(), Default::default(), Scheme::HTTP);
//!     let request = poem::Request::from_parts(head.into(), body.into_bytes().into());
//!     Ok::<Response<_>, Infallible>(delivered.get_response(request).await.into())
//! });
//! let webhook = ScruppVerify::new(secret).layer(webhook).compat();
//! let app = Route::new().at("/webhooks/scrupp", post(webhook));
//! # let request = |body: &'static str| {
//! #     poem::Request::builder()
//! #         .method(http::Method::POST)
//! #         .uri(http::Uri::from_static("/webhooks/scrupp"))
//! #         .header("x-scrupp-timestamp", signed.timestamp())
//! #         .header("x-scrupp-signature", signed.signature())
//! #         .body(body)
//! # };
//!
//! let genuine = app.get_response(request("{}")).await;
//! assert_eq!(genuine.into_body().into_string().await?, "2 bytes");
//!
//! let tampered = app.get_response(request("[]")).await;
//! assert_eq!(tampered.status(), StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! ```
//!
//! Poem's own server has no time limit for a request's head. `examples/poem` serves the endpoint with
//! hyper.
//!
//! # Salvo
//!
//! The handlers of [`salvo`](https://docs.rs/salvo) take a body of its own type. With tower's
//! `MapRequestLayer` behind it, which converts a [`VerifiedBody`] to a `ReqBody`, the layer becomes a
//! middleware of the delivery's route: `(verify, MapRequestLayer::new(..)).compat::<ReqBody>()`. The
//! handler reads the [`VerifiedDelivery`] from the request's extensions. `examples/salvo` is a whole
//! server.
//!
//! # Features
//!
//! - `dedup` (default): [`ScruppVerify::dedup`], which handles each delivery once.
//! - `events` (default): what a delivery says. Without it, no JSON parser is compiled.
//! - `tracing` (default): a log event for each delivery, with the target `scrupp_verify` and the fields
//!   in [`scrupp_verify_adapter`](scrupp_verify_adapter#log). Nothing of a header or a body is logged.
//! - `axum`: the extractors `ScruppEvent` and `ScruppClaim`, for axum 0.8.

#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "axum", feature = "dedup"))]
mod claim;
#[cfg(all(feature = "axum", feature = "events"))]
mod event;
mod layer;
mod response_body;
mod service;
mod verified_body;

#[cfg(all(feature = "axum", feature = "dedup"))]
pub use claim::ScruppClaim;
#[cfg(all(feature = "axum", feature = "events"))]
pub use event::ScruppEvent;
pub use layer::ScruppVerify;
pub use response_body::ResponseBody;
pub use service::ScruppVerifyService;
pub use verified_body::VerifiedBody;

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

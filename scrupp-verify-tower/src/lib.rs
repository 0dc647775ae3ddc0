//! A [tower](https://docs.rs/tower) layer that verifies the webhooks of
//! [Scrupp](https://scrupp.com), for axum, warp, hyper, Poem, Salvo, tonic, Lambda and any other
//! [`tower::Service`](tower_service::Service) for HTTP requests.
//!
//! ```no_run
//! use axum::{Router, body::Bytes, routing::post};
//! use scrupp_verify_tower::{ScruppVerify, Secret, dedup::MemoryStore};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let secret = std::env::var("SCRUPP_WEBHOOK_SECRET").expect("SCRUPP_WEBHOOK_SECRET");
//!     let verify = ScruppVerify::new(Secret::new(secret)?).dedup(MemoryStore::default());
//!     let app = Router::new().route("/webhooks/scrupp", post(delivered).layer(verify));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).await?;
//!     Ok(())
//! }
//!
//! /// Runs only for genuine deliveries. After a 2xx, it does not run again for the same event.
//! async fn delivered(body: Bytes) {
//!     println!("{} bytes", body.len());
//! }
//! ```
//!
//! See [`ScruppVerify`] for the [responses](ScruppVerify#responses), the
//! [placement](ScruppVerify#placement) among other middleware, and all settings with their defaults.
//!
//! A handler gets more than the body:
//!
//! - the event of the delivery, with the extractor `ScruppEvent` of the feature `axum`,
//! - the proof of the verification, as an `axum::Extension<Verified>` or from the request's extensions,
//! - with a store, the claim of the delivery, with the extractor `ScruppClaim` of the feature `axum`.
//!
//! # Examples
//!
//! The layer takes requests with any [`Body`](http_body::Body) that is `Send` and `Unpin`, and passes the
//! inner service a [`VerifiedBody`].
//!
//! ## AWS Lambda
//!
//! The layer wraps a function of [`lambda_http`](https://docs.rs/lambda_http):
//!
//! ```no_run
//! use http::{Request, Response};
//! use lambda_http::{Body, Error, service_fn};
//! use scrupp_verify_tower::{ScruppVerify, Secret, VerifiedBody};
//! use tower::ServiceBuilder;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     let secret = std::env::var("SCRUPP_WEBHOOK_SECRET").expect("SCRUPP_WEBHOOK_SECRET");
//!     let function = ServiceBuilder::new()
//!         .layer(ScruppVerify::new(Secret::new(secret)?))
//!         .service(service_fn(delivered));
//!     lambda_http::run(function).await
//! }
//!
//! /// Runs only for genuine deliveries.
//! async fn delivered(request: Request<VerifiedBody>) -> Result<Response<Body>, Error> {
//!     println!("{} bytes", request.into_body().into_bytes().len());
//!     Ok(Response::new(Body::Empty))
//! }
//! ```
//!
//! API Gateway passes a body on as text or as Base64. `lambda_http` decodes the body, so the layer
//! verifies the bytes that Scrupp sent. Instances of a function do not share memory, so
//! [`dedup`](ScruppVerify::dedup) needs a shared store there.
//!
//! ## tonic
//!
//! A [`tonic`](https://docs.rs/tonic) server can receive deliveries alongside its services, as a route of
//! the same axum router. With axum's features `http1` and `http2`, one port serves both:
//!
//! ```
//! use axum::{Router, body::Bytes, routing::post};
//! use scrupp_verify_tower::{ScruppVerify, Secret};
//! use tonic::service::Routes;
//!
//! fn with_webhook(services: Routes, secret: Secret) -> Router {
//!     let delivered = post(async |body: Bytes| println!("{} bytes", body.len()));
//!     let delivered = delivered.layer(ScruppVerify::new(secret));
//!     services.into_axum_router().route("/webhooks/scrupp", delivered)
//! }
//! ```
//!
//! ## Loco
//!
//! In [Loco](https://docs.rs/loco-rs), add the route in `Hooks::after_routes`, which takes the axum
//! router and returns it. Loco's own middleware does not wrap such a route, so the body arrives as
//! Scrupp sent it:
//!
//! ```
//! use axum::{Router, body::Bytes, routing::post};
//! use scrupp_verify_tower::{ScruppVerify, Secret};
//!
//! fn with_webhook(router: Router, secret: Secret) -> Router {
//!     let delivered = post(async |body: Bytes| println!("{} bytes", body.len()));
//!     router.route("/webhooks/scrupp", delivered.layer(ScruppVerify::new(secret)))
//! }
//! ```
//!
//! ## Poem
//!
//! [`poem`](https://docs.rs/poem) has its own request type. Put the layer around a tower service that
//! calls the endpoint, and convert the result to an endpoint:
//!
//! ```
//! use std::convert::Infallible;
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode, uri::Scheme};
//! use poem::{Endpoint, Route, endpoint::TowerCompatExt, handler, post, web::Data};
//! use scrupp_verify_tower::{
//!     ScruppVerify, Secret, Signer, UnixTime, VerifiedBody, VerifiedDelivery,
//! };
//! use tower::{Layer, service_fn};
//!
//! #[handler]
//! fn delivered(Data(delivery): Data<&VerifiedDelivery<Bytes>>) -> String {
//!     format!("{} bytes", delivery.body().len())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::new("topsecret")?;
//! let webhook = service_fn(async |request: Request<VerifiedBody>| {
//!     let (head, body) = request.into_parts();
//!     let head = (head, Default::default(), Default::default(), Scheme::HTTP);
//!     let request = poem::Request::from_parts(head.into(), body.into_bytes().into());
//!     Ok::<Response<_>, Infallible>(delivered.get_response(request).await.into())
//! });
//! let webhook = ScruppVerify::new(secret.clone()).layer(webhook).compat();
//! let app = Route::new().at("/webhooks/scrupp", post(webhook));
//!
//! // Sign a body as Scrupp does.
//! let now = UnixTime::now().ok_or("the clock returned no time")?;
//! let headers = Signer::new(&secret).sign(now, b"{}");
//! let request = |body: &'static str| {
//!     poem::Request::builder()
//!         .method(http::Method::POST)
//!         .uri(http::Uri::from_static("/webhooks/scrupp"))
//!         .header("X-Scrupp-Timestamp", headers.timestamp())
//!         .header("X-Scrupp-Signature", headers.signature())
//!         .body(body)
//! };
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
//! Poem's own server has no time limit for a request's head. `examples/poem` in the repository serves
//! the endpoint with hyper.
//!
//! ## Salvo
//!
//! The handlers of [`salvo`](https://docs.rs/salvo) take a `ReqBody`. Behind the layer, convert the
//! [`VerifiedBody`] with tower's `MapRequestLayer`. Then both layers together are a middleware for the
//! route: `(verify, MapRequestLayer::new(..)).compat::<ReqBody>()`. The handler reads the
//! [`VerifiedDelivery`] from the request's extensions. `examples/salvo` in the repository is a
//! complete server.
//!
//! ## axum 0.7
//!
//! The layer also works with axum 0.7. The extractors need axum 0.8.
//!
//! # Features
//!
//! - `dedup` (default): [`ScruppVerify::dedup`], to handle each event once.
//! - `events` (default): [`events::Event`], the content of a delivery. Adds a JSON parser as a
//!   dependency.
//! - `tracing` (default): log events with the target `scrupp_verify`. The
//!   [table](scrupp_verify_adapter#log) lists their fields. No byte of a header or a body is logged.
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

#[doc = include_str!("../README.md")]
#[cfg(all(
    doctest,
    feature = "axum",
    feature = "dedup",
    feature = "events",
    feature = "tracing"
))]
struct Readme;

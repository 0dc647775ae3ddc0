use core::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, request};
use scrupp_verify_adapter::SharedKeyring;
use scrupp_verify_core::{Account, Rejection};
use tower_layer::Layer;

use crate::ScruppVerifyService;

/// A layer that calls the inner service only for deliveries that Scrupp signed.
///
/// The inner service gets the request with a [`VerifiedBody`](crate::VerifiedBody): the complete body,
/// byte for byte as it was signed. The request's extensions contain [`Verified`](crate::Verified), a
/// [`VerifiedDelivery<Bytes>`](crate::VerifiedDelivery) and, with a store, the delivery's
/// [`Claimed`](crate::dedup::Claimed).
///
/// The layer responds to all other requests itself. Deliveries are checked against these
/// [rules](scrupp_verify_core#rules), in this [order](scrupp_verify_adapter#steps).
///
/// The service must run on a Tokio runtime with its timer enabled (`enable_all` or `enable_time`).
/// Otherwise, every request is rejected with 503.
///
#[doc = scrupp_verify_adapter::responses!()]
///
/// # Placement
///
/// Put the layer on the route that receives deliveries. In axum:
///
/// | method | requests that are verified |
/// |---|---|
/// | `MethodRouter::layer` | all requests for this route |
/// | `MethodRouter::route_layer` | those with a method that has a handler; others get 405 |
/// | `Router::route_layer` | all requests for the routes of this router |
/// | `Router::layer` | all requests for the routes of this router and for unknown paths |
///
/// Use `MethodRouter::layer` unless every route of the router receives deliveries. Methods and routes
/// that are added after the layer are not verified.
///
/// The layer verifies requests of every method. With `MethodRouter::layer`, an unsigned `GET`, `HEAD` or
/// `OPTIONS` gets 401, so put a health check on a route of its own.
///
/// The order relative to other middleware, such as that of `tower-http`:
///
/// | middleware | place | reason |
/// |---|---|---|
/// | `Trace` | outside | Its span and its response events include rejections. |
/// | `CatchPanic` | outside | The layer logs the outcome `panicked`. If `CatchPanic` is inside, the layer logs `failed` with status 500. |
/// | `Timeout` | inside | The timeout applies to the handler only, and the layer logs the status. If `Timeout` is outside, the time includes reading the body, and the layer logs `dropped`. |
/// | `RequestDecompression` | inside | The signature covers the bytes as they were sent. Limit the decompressed body too: [`body_limit`](Self::body_limit) applies to the compressed one. |
/// | `Compression` | either | Only the response changes. If `Compression` is outside, rejections are compressed too. |
/// | `Cors` | not on this route | Deliveries do not come from browsers. If `Cors` is outside, it responds to `OPTIONS` requests itself. |
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, body::Bytes, http::StatusCode, routing::{get, post}};
/// use scrupp_verify_tower::{ScruppVerify, Secret};
/// use tower::ServiceBuilder;
/// use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer, trace::TraceLayer};
///
/// fn app(secret: Secret) -> Router {
///     let timeout = TimeoutLayer::with_status_code(
///         StatusCode::SERVICE_UNAVAILABLE,
///         Duration::from_secs(5),
///     );
///     // In a `ServiceBuilder`, the first layer is the outermost.
///     let layers = ServiceBuilder::new()
///         .layer(CatchPanicLayer::new())
///         .layer(ScruppVerify::new(secret))
///         .layer(timeout);
///     let delivered = post(async |body: Bytes| println!("{} bytes", body.len()));
///     Router::new()
///         .route("/webhooks/scrupp", delivered.layer(layers))
///         .route("/healthz", get(async || {}))
///         .layer(TraceLayer::new_for_http())
/// }
/// ```
///
/// If two layers with a store wrap one handler and compute the same delivery id, only the outer layer
/// claims the delivery. The inner layer logs a warning, and does not use its store.
///
/// # Security
///
/// The signature covers the timestamp and the body. The path, the query, the method and all other
/// headers are not signed, so a recorded delivery can be sent to any endpoint that accepts the same
/// secret. A handler must take its data from the body, and not from the path or the query.
///
/// Without [`dedup`](Self::dedup), a recorded delivery can be replayed for up to 360 s by default. The
/// layer does not check that the connection was encrypted: serve the endpoint over TLS.
///
/// # Examples
///
/// A genuine delivery reaches the handler, and a tampered one does not:
///
/// ```
/// use axum::{Router, body::{Body, Bytes}, http::{Request, StatusCode}, routing::post};
/// use scrupp_verify_tower::{ScruppVerify, Secret, Signer, UnixTime};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let verify = ScruppVerify::new(secret.clone());
/// let echo = async |body: Bytes| body;
/// let app = Router::new().route("/webhooks/scrupp", post(echo).layer(verify));
///
/// // Sign a body as Scrupp does.
/// let now = UnixTime::now().ok_or("the clock returned no time")?;
/// let headers = Signer::new(&secret).sign(now, b"{}");
/// let request = |body: &'static str| {
///     Request::post("/webhooks/scrupp")
///         .header("X-Scrupp-Timestamp", headers.timestamp())
///         .header("X-Scrupp-Signature", headers.signature())
///         .body(Body::from(body))
/// };
///
/// let genuine = app.clone().oneshot(request("{}")?).await?;
/// assert_eq!(genuine.status(), StatusCode::OK);
///
/// let tampered = app.oneshot(request("[]")?).await?;
/// assert_eq!(tampered.status(), StatusCode::UNAUTHORIZED);
/// # Ok(())
/// # }
/// ```
///
/// To test a handler with a fixed clock, see [`clock`](Self::clock).
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ScruppVerify {
    config: Arc<Config>,
}

pub(crate) type Config = scrupp_verify_adapter::Config<request::Parts, OnRejection>;

type OnRejection = Arc<dyn Fn(&Rejection) -> Response<Bytes> + Send + Sync>;

impl ScruppVerify {
    /// Creates a layer that verifies with the secrets of one account.
    ///
    /// Takes one to four secrets: the current one and, during a rotation, older ones. A
    /// [`SharedKeyring`] can be replaced while the server runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_tower::{ScruppVerify, Secret, SharedKeyring};
    ///
    /// # fn main() -> Result<(), scrupp_verify_tower::ConfigError> {
    /// let one = ScruppVerify::new(Secret::new("topsecret")?);
    /// let rotation = ScruppVerify::new([Secret::new("newer")?, Secret::new("older")?]);
    ///
    /// let keyring = SharedKeyring::from(Secret::new("older")?);
    /// let replaceable = ScruppVerify::new(keyring.clone());
    /// // While the server runs:
    /// keyring.replace([Secret::new("newer")?, Secret::new("older")?]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(keyring: impl Into<SharedKeyring>) -> Self {
        Self::with(Config::new(keyring, Arc::new(problem)))
    }

    /// Creates a layer that verifies with the secrets of the account that `lookup` finds for each
    /// request.
    ///
    /// The layer calls `lookup` after the checks that need no secret, and before it reads the body:
    ///
    /// - If `lookup` returns `None`, the layer reads the body and responds with the same 401 as to a
    ///   wrong signature.
    /// - If `lookup` fails or takes longer than [`body_timeout`](Self::body_timeout), the layer logs
    ///   the reason and responds with 503.
    /// - At most 64 lookups run at once, because a flood of requests must not exhaust a database.
    ///   Further lookups wait, and the timeout includes this wait.
    ///
    /// # Security
    ///
    /// The time that a rejection takes does not depend on whether the account exists, or on how many
    /// secrets it has. `lookup` itself should take the same time for every account.
    ///
    /// An attacker can trigger any number of lookups, because a lookup needs only well-formed headers
    /// and a current timestamp. If `lookup` queries a database, cache its results for a few seconds,
    /// `None` included.
    ///
    /// # Examples
    ///
    /// Two accounts at one endpoint. Their names are not signed, but a delivery verifies only with
    /// the secret of its own account:
    ///
    /// ```
    /// use std::{collections::HashMap, convert::Infallible};
    /// use axum::{Router, body::Body, http::Request, routing::post};
    /// use scrupp_verify_tower::{Account, ScruppVerify, Secret, Signer, UnixTime};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let of_17 = Secret::new("secret of 17")?;
    /// let accounts = HashMap::from([
    ///     ("17", Account::new("17", of_17.clone())),
    ///     ("18", Account::new("18", Secret::new("secret of 18")?)),
    /// ]);
    /// // Customers enter https://example.com/webhooks/scrupp?account=NAME in their Scrupp account.
    /// let verify = ScruppVerify::with_account_lookup(move |head| {
    ///     let name = head.uri.query().and_then(|query| query.strip_prefix("account="));
    ///     let account = name.and_then(|name| accounts.get(name)).cloned();
    ///     async move { Ok::<_, Infallible>(account) }
    /// });
    /// let app = Router::new().route("/webhooks/scrupp", post(async || {}).layer(verify));
    ///
    /// let now = UnixTime::now().ok_or("the clock returned no time")?;
    /// let headers = Signer::new(&of_17).sign(now, b"{}");
    /// for (account, status) in [("17", 200), ("18", 401), ("19", 401)] {
    ///     let request = Request::post(format!("/webhooks/scrupp?account={account}"))
    ///         .header("X-Scrupp-Timestamp", headers.timestamp())
    ///         .header("X-Scrupp-Signature", headers.signature())
    ///         .body(Body::from("{}"))?;
    ///     assert_eq!(app.clone().oneshot(request).await?.status(), status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_account_lookup<F, Fut, E>(lookup: F) -> Self
    where
        F: Fn(&request::Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Account>, E>> + Send + 'static,
        E: fmt::Display,
    {
        Self::with(Config::with_account_lookup(lookup, Arc::new(problem)))
    }

    scrupp_verify_adapter::setters! {
        "scrupp_verify_tower";

        /// ```
        /// use std::time::Duration;
        /// use axum::{Router, body::Body, http::Request, routing::post};
        /// use scrupp_verify_tower::{ScruppVerify, Secret, Signer, Tolerance, UnixTime};
        /// use tower::ServiceExt;
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let secret = Secret::new("topsecret")?;
        /// let now = 1_735_471_800;
        /// let verify = ScruppVerify::new(secret.clone())
        ///     .clock(move || Some(UnixTime::from_secs(now)))
        ///     .tolerance(Tolerance::new(Duration::from_secs(600), Duration::from_secs(30)));
        /// let app = Router::new().route("/", post(async || {}).layer(verify));
        ///
        /// for (time, status) in [(now - 600, 200), (now - 601, 401), (now + 30, 200), (now + 31, 401)] {
        ///     let headers = Signer::new(&secret).sign(UnixTime::from_secs(time), b"{}");
        ///     let request = Request::post("/")
        ///         .header("X-Scrupp-Timestamp", headers.timestamp())
        ///         .header("X-Scrupp-Signature", headers.signature())
        ///         .body(Body::from("{}"))?;
        ///     assert_eq!(app.clone().oneshot(request).await?.status(), status);
        /// }
        /// # Ok(())
        /// # }
        /// ```
        tolerance;

        /// ```
        /// use axum::{Router, body::Body, http::Request, routing::post};
        /// use scrupp_verify_tower::{ScruppVerify, Secret, Signer, UnixTime};
        /// use tower::ServiceExt;
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let secret = Secret::new("topsecret")?;
        /// let verify = ScruppVerify::new(secret.clone()).body_limit(1000);
        /// let app = Router::new().route("/", post(async || {}).layer(verify));
        ///
        /// let now = UnixTime::now().ok_or("the clock returned no time")?;
        /// for (bytes, status) in [(1000, 200), (1001, 413)] {
        ///     let body = vec![b' '; bytes];
        ///     let headers = Signer::new(&secret).sign(now, &body);
        ///     let request = Request::post("/")
        ///         .header("X-Scrupp-Timestamp", headers.timestamp())
        ///         .header("X-Scrupp-Signature", headers.signature())
        ///         .body(Body::from(body))?;
        ///     assert_eq!(app.clone().oneshot(request).await?.status(), status);
        /// }
        /// # Ok(())
        /// # }
        /// ```
        body_limit;

        /// To test a handler, set the clock to the time at which a request was signed:
        ///
        /// ```
        /// use axum::{Router, body::{Body, Bytes}, http::{Request, StatusCode}, routing::post};
        /// use scrupp_verify_tower::{ScruppVerify, Secret, Signer, UnixTime};
        /// use tower::ServiceExt;
        ///
        /// // The application, as `main` builds it.
        /// fn app(verify: ScruppVerify) -> Router {
        ///     let echo = async |body: Bytes| body;
        ///     Router::new().route("/webhooks/scrupp", post(echo).layer(verify))
        /// }
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let secret = Secret::new("topsecret")?;
        /// let body = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
        /// let headers = Signer::new(&secret).sign(UnixTime::from_secs(1_735_471_800), body.as_bytes());
        /// let request = || {
        ///     Request::post("/webhooks/scrupp")
        ///         .header("X-Scrupp-Timestamp", headers.timestamp())
        ///         .header("X-Scrupp-Signature", headers.signature())
        ///         .body(Body::from(body))
        /// };
        ///
        /// let verify = ScruppVerify::new(secret);
        /// let in_time = verify.clone().clock(|| Some(UnixTime::from_secs(1_735_471_800)));
        /// let response = app(in_time).oneshot(request()?).await?;
        /// assert_eq!(response.status(), StatusCode::OK);
        ///
        /// let late = verify.clock(|| Some(UnixTime::from_secs(1_735_472_101)));
        /// let response = app(late).oneshot(request()?).await?;
        /// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        /// # Ok(())
        /// # }
        /// ```
        clock;

        /// ```
        /// use axum::{Router, body::Body, http::Request, routing::post};
        /// use scrupp_verify_tower::{Duplicate, ScruppVerify, Secret, Signer, UnixTime};
        /// use scrupp_verify_tower::dedup::MemoryStore;
        /// use tower::ServiceExt;
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let secret = Secret::new("topsecret")?;
        /// let verify = ScruppVerify::new(secret.clone()).dedup(MemoryStore::default());
        /// let app = Router::new().route("/", post(async || {}).layer(verify));
        ///
        /// let now = UnixTime::now().ok_or("the clock returned no time")?;
        /// let headers = Signer::new(&secret).sign(now, b"{}");
        /// for is_duplicate in [false, true] {
        ///     let request = Request::post("/")
        ///         .header("X-Scrupp-Timestamp", headers.timestamp())
        ///         .header("X-Scrupp-Signature", headers.signature())
        ///         .body(Body::from("{}"))?;
        ///     let response = app.clone().oneshot(request).await?;
        ///     assert_eq!(response.status(), 200);
        ///     assert_eq!(response.extensions().get::<Duplicate>().is_some(), is_duplicate);
        /// }
        /// # Ok(())
        /// # }
        /// ```
        dedup;
    }

    /// Replaces the response to a rejection.
    ///
    /// The default is the problem document of [`Rejection::problem`]. The layer adds the [`Rejection`]
    /// to the extensions of the response. `response` is not called for the 422 and 500 responses of the
    /// extractors.
    ///
    /// # Security
    ///
    /// The reason is for the operator. A response that depends on the reason tells attackers which of
    /// the checks their request passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, body::Body, http::{Request, Response}, routing::post};
    /// use scrupp_verify_tower::{ScruppVerify, Secret};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let verify = ScruppVerify::new(Secret::new("topsecret")?).on_rejection(|rejection| {
    ///     let mut response = Response::new("not accepted");
    ///     *response.status_mut() = rejection.status().try_into().unwrap();
    ///     response
    /// });
    /// let app = Router::new().route("/", post(async || {}).layer(verify));
    ///
    /// let unsigned = Request::post("/").body(Body::from("{}"))?;
    /// let response = app.oneshot(unsigned).await?;
    /// assert_eq!(response.status(), 401);
    /// assert_eq!(axum::body::to_bytes(response.into_body(), 100).await?, "not accepted");
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_rejection<F, B>(self, response: F) -> Self
    where
        F: Fn(&Rejection) -> Response<B> + Send + Sync + 'static,
        B: Into<Bytes>,
    {
        let response = move |rejection: &Rejection| response(rejection).map(Into::into);
        self.set(|config| config.on_rejection = Arc::new(response))
    }
}

/// Returns the default response to a rejection.
pub(crate) fn problem(rejection: &Rejection) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(rejection.problem().as_bytes()));
    if let Ok(status) = StatusCode::from_u16(rejection.status()) {
        *response.status_mut() = status;
    }
    for &(name, value) in rejection.headers() {
        response.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

/// Returns the response of an extractor that fails.
#[cfg(all(feature = "axum", any(feature = "dedup", feature = "events")))]
pub(crate) fn failed(rejection: Rejection) -> axum_core::response::Response {
    let mut response = problem(&rejection).map(axum_core::body::Body::from);
    response.extensions_mut().insert(rejection);
    response
}

impl<S> Layer<S> for ScruppVerify {
    type Service = ScruppVerifyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let config = Arc::clone(&self.config);
        ScruppVerifyService { inner, config }
    }
}

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
/// The layer responds to everything else itself, as [`Rejection`] says. The inner service gets a
/// request whose body is byte for byte the one that was verified, with
/// [`Verified`](crate::Verified) in the extensions.
///
/// By default, a timestamp may be 300 s old or 60 s ahead, and a body may have 256 KiB and take
/// 10 s.
///
/// # Placement
///
/// Put the layer around the route that receives deliveries, not around the whole router: it would
/// reject requests for every other path too. The signature covers the bytes on the
/// wire, so put everything that changes a body, such as decompression, inside of the layer.
///
/// If two layers with a store wrap the same handler, only the outer one claims a delivery. The inner one
/// logs a warning, and does not use its store.
///
/// The service runs on a Tokio runtime with its timer enabled (`enable_all` or `enable_time`).
/// Without one, every request is rejected with 503.
///
/// # Examples
///
/// ```
/// use axum::{Router, body::Bytes, http::StatusCode, routing::post};
/// use scrupp_verify_tower::{Secret, ScruppVerify};
/// # use scrupp_verify_tower::{Signer, UnixTime};
/// # use tower::ServiceExt;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// # let signer = Signer::new(&secret);
/// let app = Router::new()
///     .route(
///         "/webhooks/scrupp",
///         post(|body: Bytes| async move { body }).layer(ScruppVerify::new(secret)),
///     );
/// # let signed = signer.sign(UnixTime::now().unwrap(), b"{}");
/// # let request = |body: &'static str| {
/// #     axum::http::Request::post("/webhooks/scrupp")
/// #         .header("x-scrupp-timestamp", signed.timestamp())
/// #         .header("x-scrupp-signature", signed.signature())
/// #         .body(axum::body::Body::from(body))
/// #         .unwrap()
/// # };
///
/// let genuine = app.clone().oneshot(request("{}")).await?;
/// assert_eq!(genuine.status(), StatusCode::OK);
///
/// let tampered = app.oneshot(request("[]")).await?;
/// assert_eq!(tampered.status(), StatusCode::UNAUTHORIZED);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ScruppVerify {
    config: Arc<Config>,
}

pub(crate) type Config = scrupp_verify_adapter::Config<request::Parts, OnRejection>;

type OnRejection = Arc<dyn Fn(&Rejection) -> Response<Bytes> + Send + Sync>;

impl ScruppVerify {
    /// Verifies with one secret, with several while one is being replaced, or with a
    /// [`SharedKeyring`] that can be replaced while the server runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_tower::{Secret, ScruppVerify};
    ///
    /// # fn main() -> Result<(), scrupp_verify_tower::ConfigError> {
    /// let one = ScruppVerify::new(Secret::new("topsecret")?);
    /// let rotation = ScruppVerify::new([Secret::new("newer")?, Secret::new("older")?]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(keyring: impl Into<SharedKeyring>) -> Self {
        Self::with(Config::new(keyring, Arc::new(problem)))
    }

    /// Verifies with the secrets of the account that `lookup` finds for each request.
    ///
    /// The layer calls `lookup` after the checks that need no secret, and before it reads the body.
    /// If `lookup` returns `None`, the layer reads the body all the same and responds with the 401
    /// of a wrong signature. If `lookup` fails or takes longer than the body time-out, the layer
    /// logs the reason and responds with 503.
    ///
    /// At most 64 lookups run at once. Further lookups wait. The time-out includes this wait.
    ///
    /// # Security
    ///
    /// The time of a rejection does not depend on whether the account exists, or on how many
    /// secrets it has. The time that `lookup` itself takes is up to its author.
    ///
    /// An attacker can trigger any number of lookups, because a lookup needs only well-formed headers
    /// and a current timestamp. If `lookup` asks a database, cache what it returns for some seconds,
    /// `None` included.
    ///
    /// # Examples
    ///
    /// Two accounts at one endpoint. Their names are not signed, but a delivery verifies only with
    /// the secret of its own account:
    ///
    /// ```
    /// use std::{collections::HashMap, convert::Infallible};
    /// use scrupp_verify_tower::{Account, Secret, ScruppVerify};
    ///
    /// # fn main() -> Result<(), scrupp_verify_tower::ConfigError> {
    /// // Customers enter https://example.com/webhooks/scrupp?account=NAME at Scrupp.
    /// let accounts = HashMap::from([
    ///     ("17", Account::new("17", Secret::new("secret of 17")?)),
    ///     ("18", Account::new("18", Secret::new("secret of 18")?)),
    /// ]);
    /// let layer = ScruppVerify::with_account_lookup(move |head| {
    ///     let name = head.uri.query().and_then(|query| query.strip_prefix("account="));
    ///     let account = name.and_then(|name| accounts.get(name)).cloned();
    ///     async move { Ok::<_, Infallible>(account) }
    /// });
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

    scrupp_verify_adapter::setters!();

    /// Replaces the response to a rejection, by default the problem document of
    /// [`Rejection::problem`]. The inner service is not called in any case.
    ///
    /// # Security
    ///
    /// The reason is for the operator. A response that depends on it tells attackers how far they
    /// got.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::Response;
    /// use scrupp_verify_tower::{Secret, ScruppVerify};
    ///
    /// # fn main() -> Result<(), scrupp_verify_tower::ConfigError> {
    /// let layer = ScruppVerify::new(Secret::new("topsecret")?).on_rejection(|rejection| {
    ///     let mut response = Response::new("no");
    ///     *response.status_mut() = rejection.status().try_into().unwrap();
    ///     response
    /// });
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

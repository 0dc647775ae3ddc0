use core::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, request};
use scrupp_verify_core::{
    Account, Keyring, Rejection,
    adapter::{self, Gate, Refused},
};
use tower_layer::Layer;

use crate::{ResponseBody, ScruppVerifyService, request::Frames};

/// A layer that runs the service inside only on deliveries that Scrupp signed.
///
/// Everything else is answered here, as [`Rejection`] says, and the service is not called. What it
/// gets is a request whose body is byte for byte the one that was verified, with
/// [`Verified`](crate::Verified) in the extensions.
///
/// The defaults are the safe ones: 300 s into the past and 60 s into the future, 256 KiB of body,
/// 10 s for it to come.
///
/// # Where it goes
///
/// Around the routes that take deliveries, and inside of them whatever changes a body: the
/// signature is over the bytes on the wire, so that decompression has to come after it.
///
/// # Runtime
///
/// A body that has to be waited for needs a tokio runtime with its timer, and panics without. Most
/// bodies come together with their head and do not have to be waited for, so that what is missing
/// shows late: run it on tokio, with `enable_all` or `enable_time`.
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
///     .route("/webhooks/scrupp", post(|body: Bytes| async move { body }))
///     .layer(ScruppVerify::new(secret));
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
#[derive(Clone)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ScruppVerify {
    pub(crate) gate: Gate<request::Parts>,
    on_rejection: Option<Arc<OnRejection>>,
}

type OnRejection = dyn Fn(&Rejection) -> Response<Bytes> + Send + Sync;

impl ScruppVerify {
    /// Verifies with one secret, or with several while one is being replaced: anything that is
    /// `Into<Keyring>`.
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
    pub fn new(keyring: impl Into<Keyring>) -> Self {
        Self::with(Gate::new(keyring))
    }

    /// Verifies with the secrets that `lookup` finds for each request: for many accounts, and for
    /// secrets that change while the server runs.
    ///
    /// It is called after the checks that need no secret, and before the body is read. For `None`
    /// the body is read all the same and the answer is the 401 of a wrong signature, so that a
    /// stranger cannot find out which accounts there are; how long the lookup itself takes is up
    /// to it. For an error the answer is 503, and its text goes to the log.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use scrupp_verify_tower::{Account, Secret, ScruppVerify};
    ///
    /// # fn main() -> Result<(), scrupp_verify_tower::ConfigError> {
    /// let of_customer_17 = Account::new("17", Secret::new("topsecret")?);
    /// let layer = ScruppVerify::with_secrets(move |head| {
    ///     let account = (head.uri.path() == "/hooks/17").then(|| of_customer_17.clone());
    ///     async move { Ok::<_, Infallible>(account) }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_secrets<F, Fut, E>(lookup: F) -> Self
    where
        F: Fn(&request::Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Account>, E>> + Send + 'static,
        E: fmt::Display,
    {
        Self::with(Gate::with_secrets(lookup))
    }

    fn with(gate: Gate<request::Parts>) -> Self {
        Self {
            gate,
            on_rejection: None,
        }
    }

    adapter::setters!();

    /// Makes the response to a rejection, in place of the problem document of
    /// [`Rejection::problem`]. The decision stays: the service is not called.
    ///
    /// # Security
    ///
    /// The reason is for the operator. A response that differs by it tells an attacker how far
    /// they got.
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
    pub fn on_rejection<F, B>(mut self, response: F) -> Self
    where
        F: Fn(&Rejection) -> Response<B> + Send + Sync + 'static,
        B: Into<Bytes>,
    {
        self.on_rejection = Some(Arc::new(move |rejection| {
            response(rejection).map(Into::into)
        }));
        self
    }

    /// The response to a refused delivery, with the rejection in its extensions.
    pub(crate) fn refuse<R, B>(&self, refused: Refused<Frames<B>>) -> Response<ResponseBody<R, B>> {
        let Refused {
            rejection, rest, ..
        } = refused;
        let mut response = match &self.on_rejection {
            Some(on_rejection) => on_rejection(&rejection),
            None => problem(&rejection),
        };
        response.extensions_mut().insert(rejection);
        response.map(|body| ResponseBody::refused(body, rest))
    }
}

fn problem(rejection: &Rejection) -> Response<Bytes> {
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

impl<S> Layer<S> for ScruppVerify {
    type Service = ScruppVerifyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ScruppVerifyService::new(inner, Arc::new(self.clone()))
    }
}

impl fmt::Debug for ScruppVerify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScruppVerify")
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

use core::{
    fmt,
    future::{Ready, ready},
};
use std::{rc::Rc, sync::Arc};

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    http::StatusCode,
};
use scrupp_verify_adapter::SharedKeyring;
use scrupp_verify_core::{Account, Rejection};

use crate::{RejectionBody, ScruppVerifyService};

/// A middleware that calls the inner service only for deliveries that Scrupp signed.
///
/// The middleware responds to everything else itself, as [`Rejection`] says. The inner service gets
/// a request whose body is byte for byte the one that was verified, with
/// [`Verified`](crate::Verified) in the extensions.
///
/// By default, a timestamp may be 300 s old or 60 s ahead, and a body may have 256 KiB and take
/// 10 s.
///
/// # Placement
///
/// Put the middleware around the `Resource` that receives deliveries, not around the whole `App`: it
/// would reject requests for every other path too. Build it once and clone it into
/// each worker. The signature covers the bytes on the wire: a compressed body is verified as it
/// was received, and the handler's extractors decompress it.
///
/// If two middlewares with a store wrap the same handler, only the outer one claims a delivery. The inner
/// one logs a warning, and does not use its store.
///
/// # Examples
///
/// ```
/// use actix_web::{App, http::StatusCode, test, web};
/// use scrupp_verify_actix::{Secret, ScruppVerify};
/// # use scrupp_verify_actix::{Signer, UnixTime};
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// # let signer = Signer::new(&secret);
/// let app = test::init_service(
///     App::new().service(
///         web::resource("/webhooks/scrupp")
///             .wrap(ScruppVerify::new(secret))
///             .route(web::post().to(|body: web::Bytes| async move { body })),
///     ),
/// )
/// .await;
/// # let signed = signer.sign(UnixTime::now().unwrap(), b"{}");
/// # let request = |body: &'static str| {
/// #     test::TestRequest::post()
/// #         .uri("/webhooks/scrupp")
/// #         .insert_header(("x-scrupp-timestamp", signed.timestamp()))
/// #         .insert_header(("x-scrupp-signature", signed.signature()))
/// #         .set_payload(body)
/// #         .to_request()
/// # };
///
/// let genuine = test::call_service(&app, request("{}")).await;
/// assert_eq!(genuine.status(), StatusCode::OK);
///
/// let tampered = test::call_service(&app, request("[]")).await;
/// assert_eq!(tampered.status(), StatusCode::UNAUTHORIZED);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a middleware does nothing until it is wrapped around a service"]
pub struct ScruppVerify {
    config: Arc<Config>,
}

pub(crate) type Config = scrupp_verify_adapter::Config<HttpRequest, OnRejection>;

type OnRejection = Arc<dyn Fn(&Rejection) -> HttpResponse + Send + Sync>;

impl ScruppVerify {
    /// Verifies with one secret, with several while one is being replaced, or with a
    /// [`SharedKeyring`] that can be replaced while the server runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_actix::{Secret, ScruppVerify};
    ///
    /// # fn main() -> Result<(), scrupp_verify_actix::ConfigError> {
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
    /// The middleware calls `lookup` after the checks that need no secret, and before it reads the body.
    /// If `lookup` returns `None`, the middleware reads the body all the same and responds with the 401
    /// of a wrong signature. If `lookup` fails or takes longer than the body time-out, the middleware
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
    /// use scrupp_verify_actix::{Account, Secret, ScruppVerify};
    ///
    /// # fn main() -> Result<(), scrupp_verify_actix::ConfigError> {
    /// // Customers enter https://example.com/webhooks/scrupp?account=NAME at Scrupp.
    /// let accounts = HashMap::from([
    ///     ("17", Account::new("17", Secret::new("secret of 17")?)),
    ///     ("18", Account::new("18", Secret::new("secret of 18")?)),
    /// ]);
    /// let middleware = ScruppVerify::with_account_lookup(move |request| {
    ///     let name = request.query_string().strip_prefix("account=");
    ///     let account = name.and_then(|name| accounts.get(name)).cloned();
    ///     async move { Ok::<_, Infallible>(account) }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_account_lookup<F, Fut, E>(lookup: F) -> Self
    where
        F: Fn(&HttpRequest) -> Fut + Send + Sync + 'static,
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
    /// use actix_web::{HttpResponse, http::StatusCode};
    /// use scrupp_verify_actix::{Secret, ScruppVerify};
    ///
    /// # fn main() -> Result<(), scrupp_verify_actix::ConfigError> {
    /// let middleware = ScruppVerify::new(Secret::new("topsecret")?).on_rejection(|rejection| {
    ///     let status = StatusCode::from_u16(rejection.status()).unwrap();
    ///     HttpResponse::build(status).body("no")
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_rejection<F>(self, response: F) -> Self
    where
        F: Fn(&Rejection) -> HttpResponse + Send + Sync + 'static,
    {
        self.set(|config| config.on_rejection = Arc::new(response))
    }
}

/// Returns the default response to a rejection.
pub(crate) fn problem(rejection: &Rejection) -> HttpResponse {
    let status = StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = HttpResponse::build(status);
    for header in rejection.headers() {
        response.insert_header(*header);
    }
    response.body(rejection.problem())
}

/// Returns the error of an extractor that fails.
#[cfg(any(feature = "dedup", feature = "events"))]
pub(crate) fn failed(rejection: Rejection) -> Error {
    let mut response = problem(&rejection);
    response.extensions_mut().insert(rejection);
    actix_web::error::InternalError::from_response(rejection, response).into()
}

impl<S, B> Transform<S, ServiceRequest> for ScruppVerify
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, RejectionBody>>;
    type Error = Error;
    type Transform = ScruppVerifyService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let config = Arc::clone(&self.config);
        let inner = Rc::new(service);
        ready(Ok(ScruppVerifyService { inner, config }))
    }
}

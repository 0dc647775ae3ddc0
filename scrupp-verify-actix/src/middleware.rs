use core::{
    fmt,
    future::{Ready, ready},
};
use std::sync::Arc;

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    http::StatusCode,
};
use scrupp_verify_core::{
    Account, Keyring, Rejection,
    adapter::{self, Gate, Refused},
};

use crate::{RefusalBody, ScruppVerifyService, request::Chunks};

/// A middleware that runs the service inside only on deliveries that Scrupp signed.
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
/// Around an `App`, a `Scope` or a `Resource`. It can be built once and cloned into each worker.
/// The signature is over the bytes on the wire: a compressed body is verified as it came, and the
/// handler's extractors decompress it as ever.
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
///     App::new()
///         .wrap(ScruppVerify::new(secret))
///         .route("/webhooks/scrupp", web::post().to(|body: web::Bytes| async move { body })),
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
#[derive(Clone)]
#[must_use = "a middleware does nothing until it is wrapped around a service"]
pub struct ScruppVerify {
    pub(crate) gate: Gate<HttpRequest>,
    on_rejection: Option<Arc<OnRejection>>,
}

type OnRejection = dyn Fn(&Rejection) -> HttpResponse + Send + Sync;

impl ScruppVerify {
    /// Verifies with one secret, or with several while one is being replaced: anything that is
    /// `Into<Keyring>`.
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
    /// use scrupp_verify_actix::{Account, Secret, ScruppVerify};
    ///
    /// # fn main() -> Result<(), scrupp_verify_actix::ConfigError> {
    /// let of_customer_17 = Account::new("17", Secret::new("topsecret")?);
    /// let middleware = ScruppVerify::with_secrets(move |request| {
    ///     let account = (request.path() == "/hooks/17").then(|| of_customer_17.clone());
    ///     async move { Ok::<_, Infallible>(account) }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_secrets<F, Fut, E>(lookup: F) -> Self
    where
        F: Fn(&HttpRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Account>, E>> + Send + 'static,
        E: fmt::Display,
    {
        Self::with(Gate::with_secrets(lookup))
    }

    fn with(gate: Gate<HttpRequest>) -> Self {
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
    pub fn on_rejection<F>(mut self, response: F) -> Self
    where
        F: Fn(&Rejection) -> HttpResponse + Send + Sync + 'static,
    {
        self.on_rejection = Some(Arc::new(response));
        self
    }

    /// The response to a refused delivery, with the rejection in its extensions.
    pub(crate) fn refuse(&self, refused: Refused<Chunks>) -> HttpResponse<RefusalBody> {
        let Refused {
            rejection, rest, ..
        } = refused;
        let mut response = match &self.on_rejection {
            Some(on_rejection) => on_rejection(&rejection),
            None => problem(&rejection),
        };
        response.extensions_mut().insert(rejection);
        response.map_body(|_, body| RefusalBody::new(body, rest))
    }
}

fn problem(rejection: &Rejection) -> HttpResponse {
    let status = StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = HttpResponse::build(status);
    for header in rejection.headers() {
        response.insert_header(*header);
    }
    response.body(rejection.problem())
}

impl<S, B> Transform<S, ServiceRequest> for ScruppVerify
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, RefusalBody>>;
    type Error = Error;
    type Transform = ScruppVerifyService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(ScruppVerifyService::new(service, self.clone())))
    }
}

impl fmt::Debug for ScruppVerify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScruppVerify")
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

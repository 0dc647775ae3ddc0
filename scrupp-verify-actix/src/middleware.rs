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
/// The inner service gets the request with the complete body, byte for byte as it was signed. The
/// request's extensions contain [`Verified`](crate::Verified), a
/// [`VerifiedDelivery<Bytes>`](crate::VerifiedDelivery) and, with a store, the delivery's
/// [`Claimed`](crate::dedup::Claimed).
///
/// The middleware responds to all other requests itself. Deliveries are checked against these
/// [rules](scrupp_verify_core#rules), in this [order](scrupp_verify_adapter#steps).
///
/// Create the middleware once, and clone it into each worker: clones share the store, the secrets and
/// the budget.
///
#[doc = scrupp_verify_adapter::responses!()]
///
/// A rejection is a response and not an error, so outer middleware handles it like any other response.
///
/// # Placement
///
/// Put the middleware on the resource that receives deliveries:
///
/// | method | requests that are verified |
/// |---|---|
/// | `Resource::wrap` | all requests for this path |
/// | `Scope::wrap` | all requests for paths inside the scope, unknown ones included |
/// | `App::wrap` | all requests |
///
/// Use `Resource::wrap` unless every route of the scope receives deliveries.
///
/// The middleware verifies requests of every method: an unsigned `GET`, `HEAD` or `OPTIONS` gets 401.
/// Put a health check on a resource of its own.
///
/// The order relative to other middleware:
///
/// | middleware | place | reason |
/// |---|---|---|
/// | `Logger` | outside | Its lines include rejections. |
/// | `Compress` | either | Only the response changes. If `Compress` is outside, rejections are compressed too. |
/// | changes to the request's body | inside | The signature covers the bytes as they were sent. actix-web's extractors decompress a body after it was verified. |
/// | CORS | not on this resource | Deliveries do not come from browsers. If a CORS middleware is outside, it may respond to `OPTIONS` requests itself. |
///
/// ```
/// use actix_web::{App, HttpResponse, middleware::Logger, test, web};
/// use scrupp_verify_actix::{ScruppVerify, Secret};
///
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let verify = ScruppVerify::new(Secret::new("topsecret")?);
/// let delivered = web::resource("/webhooks/scrupp")
///     .wrap(verify)
///     .route(web::post().to(HttpResponse::Ok));
/// // In actix-web, the last middleware is the outermost.
/// let app = App::new()
///     .service(delivered)
///     .route("/healthz", web::get().to(HttpResponse::Ok))
///     .wrap(Logger::default());
/// let app = test::init_service(app).await;
///
/// let unsigned = test::TestRequest::get().uri("/webhooks/scrupp").to_request();
/// assert_eq!(test::call_service(&app, unsigned).await.status(), 401);
/// let health = test::TestRequest::get().uri("/healthz").to_request();
/// assert_eq!(test::call_service(&app, health).await.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// If two middlewares with a store wrap one handler and compute the same delivery id, only the outer
/// middleware claims the delivery. The inner middleware logs a warning, and does not use its store.
///
/// # Security
///
/// The signature covers the timestamp and the body. The path, the query, the method and all other
/// headers are not signed, so a recorded delivery can be sent to any endpoint that accepts the same
/// secret. A handler must take its data from the body, and not from the path or the query.
///
/// Without [`dedup`](Self::dedup), a recorded delivery can be replayed for up to 360 s by default. The
/// middleware does not check that the connection was encrypted: serve the endpoint over TLS.
///
/// # Examples
///
/// A genuine delivery reaches the handler, and a tampered one does not:
///
/// ```
/// use actix_web::{App, http::StatusCode, test, web};
/// use scrupp_verify_actix::{ScruppVerify, Secret, Signer, UnixTime};
///
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let verify = ScruppVerify::new(secret.clone());
/// let echo = async |body: web::Bytes| body;
/// let resource = web::resource("/webhooks/scrupp").wrap(verify);
/// let app = App::new().service(resource.route(web::post().to(echo)));
/// let app = test::init_service(app).await;
///
/// // Sign a body as Scrupp does.
/// let now = UnixTime::now().ok_or("the clock returned no time")?;
/// let headers = Signer::new(&secret).sign(now, b"{}");
/// let request = |body: &'static str| {
///     test::TestRequest::post()
///         .uri("/webhooks/scrupp")
///         .insert_header(("X-Scrupp-Timestamp", headers.timestamp()))
///         .insert_header(("X-Scrupp-Signature", headers.signature()))
///         .set_payload(body)
///         .to_request()
/// };
///
/// let genuine = test::call_service(&app, request("{}")).await;
/// assert_eq!(genuine.status(), StatusCode::OK);
///
/// let tampered = test::call_service(&app, request("[]")).await;
/// assert_eq!(tampered.status(), StatusCode::UNAUTHORIZED);
/// # Ok(())
/// # }
/// ```
///
/// To test a handler with a fixed clock, see [`clock`](Self::clock).
#[derive(Clone, Debug)]
#[must_use = "a middleware does nothing until it is wrapped around a service"]
pub struct ScruppVerify {
    config: Arc<Config>,
}

pub(crate) type Config = scrupp_verify_adapter::Config<HttpRequest, OnRejection>;

type OnRejection = Arc<dyn Fn(&Rejection) -> HttpResponse + Send + Sync>;

impl ScruppVerify {
    /// Creates a middleware that verifies with the secrets of one account.
    ///
    /// Takes one to four secrets: the current one and, during a rotation, older ones. A
    /// [`SharedKeyring`] can be replaced while the server runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_actix::{ScruppVerify, Secret, SharedKeyring};
    ///
    /// # fn main() -> Result<(), scrupp_verify_actix::ConfigError> {
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

    /// Creates a middleware that verifies with the secrets of the account that `lookup` finds for each
    /// request.
    ///
    /// The middleware calls `lookup` after the checks that need no secret, and before it reads the body:
    ///
    /// - If `lookup` returns `None`, the middleware reads the body and responds with the same 401 as to
    ///   a wrong signature.
    /// - If `lookup` fails or takes longer than [`body_timeout`](Self::body_timeout), the middleware
    ///   logs the reason and responds with 503.
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
    /// use actix_web::{App, HttpResponse, test, web};
    /// use scrupp_verify_actix::{Account, ScruppVerify, Secret, Signer, UnixTime};
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let of_17 = Secret::new("secret of 17")?;
    /// let accounts = HashMap::from([
    ///     ("17", Account::new("17", of_17.clone())),
    ///     ("18", Account::new("18", Secret::new("secret of 18")?)),
    /// ]);
    /// // Customers enter https://example.com/webhooks/scrupp?account=NAME in their Scrupp account.
    /// let verify = ScruppVerify::with_account_lookup(move |request| {
    ///     let name = request.query_string().strip_prefix("account=");
    ///     let account = name.and_then(|name| accounts.get(name)).cloned();
    ///     async move { Ok::<_, Infallible>(account) }
    /// });
    /// let resource = web::resource("/webhooks/scrupp").wrap(verify).to(HttpResponse::Ok);
    /// let app = test::init_service(App::new().service(resource)).await;
    ///
    /// let now = UnixTime::now().ok_or("the clock returned no time")?;
    /// let headers = Signer::new(&of_17).sign(now, b"{}");
    /// for (account, status) in [("17", 200), ("18", 401), ("19", 401)] {
    ///     let request = test::TestRequest::post()
    ///         .uri(&format!("/webhooks/scrupp?account={account}"))
    ///         .insert_header(("X-Scrupp-Timestamp", headers.timestamp()))
    ///         .insert_header(("X-Scrupp-Signature", headers.signature()))
    ///         .set_payload("{}");
    ///     let response = test::call_service(&app, request.to_request()).await;
    ///     assert_eq!(response.status(), status);
    /// }
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

    scrupp_verify_adapter::setters! {
        "scrupp_verify_actix";

        /// ```
        /// use std::time::Duration;
        /// use actix_web::{App, HttpResponse, test, web};
        /// use scrupp_verify_actix::{ScruppVerify, Secret, Signer, Tolerance, UnixTime};
        ///
        /// # #[actix_web::main]
        /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let secret = Secret::new("topsecret")?;
        /// let now = 1_735_471_800;
        /// let verify = ScruppVerify::new(secret.clone())
        ///     .clock(move || Some(UnixTime::from_secs(now)))
        ///     .tolerance(Tolerance::new(Duration::from_secs(600), Duration::from_secs(30)));
        /// let resource = web::resource("/").wrap(verify).to(HttpResponse::Ok);
        /// let app = test::init_service(App::new().service(resource)).await;
        ///
        /// for (time, status) in [(now - 600, 200), (now - 601, 401), (now + 30, 200), (now + 31, 401)] {
        ///     let headers = Signer::new(&secret).sign(UnixTime::from_secs(time), b"{}");
        ///     let request = test::TestRequest::post()
        ///         .uri("/")
        ///         .insert_header(("X-Scrupp-Timestamp", headers.timestamp()))
        ///         .insert_header(("X-Scrupp-Signature", headers.signature()))
        ///         .set_payload("{}");
        ///     let response = test::call_service(&app, request.to_request()).await;
        ///     assert_eq!(response.status(), status);
        /// }
        /// # Ok(())
        /// # }
        /// ```
        tolerance;

        /// ```
        /// use actix_web::{App, HttpResponse, test, web};
        /// use scrupp_verify_actix::{ScruppVerify, Secret, Signer, UnixTime};
        ///
        /// # #[actix_web::main]
        /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let secret = Secret::new("topsecret")?;
        /// let verify = ScruppVerify::new(secret.clone()).body_limit(1000);
        /// let resource = web::resource("/").wrap(verify).to(HttpResponse::Ok);
        /// let app = test::init_service(App::new().service(resource)).await;
        ///
        /// let now = UnixTime::now().ok_or("the clock returned no time")?;
        /// for (bytes, status) in [(1000, 200), (1001, 413)] {
        ///     let body = vec![b' '; bytes];
        ///     let headers = Signer::new(&secret).sign(now, &body);
        ///     let request = test::TestRequest::post()
        ///         .uri("/")
        ///         .insert_header(("X-Scrupp-Timestamp", headers.timestamp()))
        ///         .insert_header(("X-Scrupp-Signature", headers.signature()))
        ///         .set_payload(body);
        ///     let response = test::call_service(&app, request.to_request()).await;
        ///     assert_eq!(response.status(), status);
        /// }
        /// # Ok(())
        /// # }
        /// ```
        body_limit;

        /// To test a handler, set the clock to the time at which a request was signed:
        ///
        /// ```
        /// use actix_web::{App, test, web};
        /// use scrupp_verify_actix::{ScruppVerify, Secret, Signer, UnixTime};
        ///
        /// // The part of the application that `main` and the test configure in the same way.
        /// fn configure(config: &mut web::ServiceConfig, verify: ScruppVerify) {
        ///     let echo = async |body: web::Bytes| body;
        ///     let resource = web::resource("/webhooks/scrupp").wrap(verify);
        ///     config.service(resource.route(web::post().to(echo)));
        /// }
        ///
        /// # #[actix_web::main]
        /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let secret = Secret::new("topsecret")?;
        /// let headers = Signer::new(&secret).sign(UnixTime::from_secs(1_735_471_800), b"{}");
        ///
        /// // The second clock is 301 s ahead of the timestamp.
        /// for (now, status) in [(1_735_471_800, 200), (1_735_472_101, 401)] {
        ///     let clock = move || Some(UnixTime::from_secs(now));
        ///     let verify = ScruppVerify::new(secret.clone()).clock(clock);
        ///     let app = App::new().configure(|config| configure(config, verify));
        ///     let app = test::init_service(app).await;
        ///     let request = test::TestRequest::post()
        ///         .uri("/webhooks/scrupp")
        ///         .insert_header(("X-Scrupp-Timestamp", headers.timestamp()))
        ///         .insert_header(("X-Scrupp-Signature", headers.signature()))
        ///         .set_payload("{}");
        ///     let response = test::call_service(&app, request.to_request()).await;
        ///     assert_eq!(response.status(), status);
        /// }
        /// # Ok(())
        /// # }
        /// ```
        clock;

        /// ```
        /// use actix_web::{App, HttpResponse, test, web};
        /// use scrupp_verify_actix::{Duplicate, ScruppVerify, Secret, Signer, UnixTime};
        /// use scrupp_verify_actix::dedup::MemoryStore;
        ///
        /// # #[actix_web::main]
        /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let secret = Secret::new("topsecret")?;
        /// let verify = ScruppVerify::new(secret.clone()).dedup(MemoryStore::default());
        /// let resource = web::resource("/").wrap(verify).to(HttpResponse::Ok);
        /// let app = test::init_service(App::new().service(resource)).await;
        ///
        /// let now = UnixTime::now().ok_or("the clock returned no time")?;
        /// let headers = Signer::new(&secret).sign(now, b"{}");
        /// for is_duplicate in [false, true] {
        ///     let request = test::TestRequest::post()
        ///         .uri("/")
        ///         .insert_header(("X-Scrupp-Timestamp", headers.timestamp()))
        ///         .insert_header(("X-Scrupp-Signature", headers.signature()))
        ///         .set_payload("{}");
        ///     let response = test::call_service(&app, request.to_request()).await;
        ///     assert_eq!(response.status(), 200);
        ///     let extensions = response.response().extensions();
        ///     assert_eq!(extensions.get::<Duplicate>().is_some(), is_duplicate);
        /// }
        /// # Ok(())
        /// # }
        /// ```
        dedup;
    }

    /// Replaces the response to a rejection.
    ///
    /// The default is the problem document of [`Rejection::problem`]. The middleware adds the
    /// [`Rejection`] to the extensions of the response. `response` is not called for the 422 and 500
    /// responses of the extractors.
    ///
    /// # Security
    ///
    /// The reason is for the operator. A response that depends on the reason tells attackers which of
    /// the checks their request passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_web::{App, HttpResponse, http::StatusCode, test, web};
    /// use scrupp_verify_actix::{ScruppVerify, Secret};
    ///
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let verify = ScruppVerify::new(Secret::new("topsecret")?).on_rejection(|rejection| {
    ///     let status = StatusCode::from_u16(rejection.status()).unwrap();
    ///     HttpResponse::build(status).body("not accepted")
    /// });
    /// let resource = web::resource("/").wrap(verify).to(HttpResponse::Ok);
    /// let app = test::init_service(App::new().service(resource)).await;
    ///
    /// let unsigned = test::TestRequest::post().set_payload("{}").to_request();
    /// let response = test::call_service(&app, unsigned).await;
    /// assert_eq!(response.status(), 401);
    /// assert_eq!(test::read_body(response).await, "not accepted");
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

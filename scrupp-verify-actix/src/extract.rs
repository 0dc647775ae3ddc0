use core::{
    fmt,
    future::{Ready, ready},
    pin::Pin,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError, dev::Payload,
    http::StatusCode, web,
};
use scrupp_verify_core::{adapter, events::Event};

use crate::Verified;

/// The event of a verified delivery, as an extractor.
///
/// 500 where the middleware is not around the handler; 422 where a verified body is no event, with
/// the reason in `tracing`. An event that this version does not know is a value, not an error.
///
/// # Examples
///
/// ```
/// use actix_web::{App, HttpResponse, web};
/// use scrupp_verify_actix::{ScruppEvent, ScruppVerify, Secret, Verified};
///
/// async fn delivered(verified: Verified, ScruppEvent(event): ScruppEvent) -> HttpResponse {
///     println!("{} is {} s old", event.name(), verified.age_secs());
///     HttpResponse::Ok().finish()
/// }
///
/// # fn main() -> Result<(), scrupp_verify_actix::ConfigError> {
/// let app = App::new().service(
///     web::resource("/webhooks/scrupp")
///         .wrap(ScruppVerify::new(Secret::new("topsecret")?))
///         .route(web::post().to(delivered)),
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is there to be taken apart")]
pub struct ScruppEvent(pub Event);

impl FromRequest for ScruppEvent {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let verified = verified(request);
        let body = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            verified?;
            let event = adapter::ExtractError::event(&body.await?);
            Ok(Self(event.map_err(ExtractError)?))
        })
    }
}

impl FromRequest for Verified {
    type Error = ExtractError;
    type Future = Ready<Result<Self, ExtractError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(verified(request))
    }
}

fn verified(request: &HttpRequest) -> Result<Verified, ExtractError> {
    let extensions = request.extensions();
    let proof = extensions.get().map(|verified: &Verified| &**verified);
    let verified = adapter::ExtractError::verified(proof).map_err(ExtractError)?;
    Ok(Verified::new(verified))
}

/// Why a handler cannot have what it asks for, as a response: see
/// [`adapter::ExtractError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtractError(adapter::ExtractError);

impl ResponseError for ExtractError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code())
            .content_type("application/problem+json")
            .body(self.0.problem())
    }
}

impl fmt::Display for ExtractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for ExtractError {}

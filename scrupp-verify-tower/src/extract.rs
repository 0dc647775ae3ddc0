use axum_core::{
    body::Body,
    extract::{FromRequest, FromRequestParts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{Extensions, HeaderValue, Request, StatusCode, header::CONTENT_TYPE, request::Parts};
use scrupp_verify_core::{adapter::ExtractError, events::Event};

use crate::Verified;

/// The event of a verified delivery, as an axum extractor.
///
/// 500 where the layer is not around the handler; 422 where a verified body is no event, with the
/// reason in `tracing`. An event that this version does not know is a value, not an error.
///
/// # Examples
///
/// ```
/// use axum::{Router, http::StatusCode, routing::post};
/// use scrupp_verify_tower::{ScruppEvent, ScruppVerify, Secret, Verified};
///
/// async fn delivered(verified: Verified, ScruppEvent(event): ScruppEvent) -> StatusCode {
///     println!("{} is {} s old", event.name(), verified.age_secs());
///     StatusCode::OK
/// }
///
/// # fn main() -> Result<(), scrupp_verify_tower::ConfigError> {
/// let app: Router = Router::new()
///     .route("/webhooks/scrupp", post(delivered))
///     .layer(ScruppVerify::new(Secret::new("topsecret")?));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is there to be taken apart")]
pub struct ScruppEvent(pub Event);

impl<S: Send + Sync> FromRequest<S> for ScruppEvent {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, Response> {
        verified(request.extensions()).map_err(answer)?;
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(IntoResponse::into_response)?;
        ExtractError::event(&body).map(Self).map_err(answer)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Verified {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        verified(&parts.extensions).map_err(answer)
    }
}

fn verified(extensions: &Extensions) -> Result<Verified, ExtractError> {
    let proof = extensions.get().map(|verified: &Verified| &**verified);
    ExtractError::verified(proof).map(Verified::new)
}

fn answer(error: ExtractError) -> Response {
    let mut response = Response::new(Body::from(error.problem()));
    *response.status_mut() =
        StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

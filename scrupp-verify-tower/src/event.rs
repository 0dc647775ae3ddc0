use axum_core::{extract::FromRequestParts, response::Response};
use http::request::Parts;
use scrupp_verify_adapter::read_event;
use scrupp_verify_core::events::Event;

use crate::layer::failed;

/// The event of a verified delivery, as an axum extractor.
///
/// Responds with 500 if the layer is not around the handler, and with 422 if a verified body is not
/// an event; the reason is logged. An event that this version does not know is a value, not an
/// error.
///
/// # Examples
///
/// ```
/// use axum::{Extension, Router, http::StatusCode, routing::post};
/// use scrupp_verify_tower::{ScruppEvent, ScruppVerify, Secret, Verified};
///
/// async fn delivered(
///     Extension(verified): Extension<Verified>,
///     ScruppEvent(event): ScruppEvent,
/// ) -> StatusCode {
///     println!("{} is {} s old", event.name(), verified.age_secs());
///     StatusCode::OK
/// }
///
/// # fn main() -> Result<(), scrupp_verify_tower::ConfigError> {
/// let app: Router = Router::new()
///     .route(
///         "/webhooks/scrupp",
///         post(delivered).layer(ScruppVerify::new(Secret::new("topsecret")?)),
///     );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is there to be taken apart")]
pub struct ScruppEvent(pub Event);

impl<S: Sync> FromRequestParts<S> for ScruppEvent {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let event = read_event(parts.extensions.get(), parts.extensions.get());
        event.map(Self).map_err(failed)
    }
}

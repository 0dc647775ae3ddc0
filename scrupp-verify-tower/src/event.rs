use axum_core::{extract::FromRequestParts, response::Response};
use http::request::Parts;
use scrupp_verify_adapter::read_event;
use scrupp_verify_core::events::Event;

use crate::layer::failed;

/// The event of a verified delivery, as an axum extractor.
///
/// An event that this version does not know is an `Event::Other`, not an error.
///
/// # Errors
///
/// Responds with 422 if the verified body is not an event, and with 500 if no
/// [`ScruppVerify`](crate::ScruppVerify) wraps the handler. The reason is logged.
///
/// # Examples
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::post};
/// use scrupp_verify_tower::{ScruppEvent, ScruppVerify, Secret, Signer, UnixTime};
/// use tower::ServiceExt;
///
/// async fn delivered(ScruppEvent(event): ScruppEvent) {
///     println!("{} of process {:?}", event.name(), event.process_id());
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let verify = ScruppVerify::new(secret.clone());
/// let app = Router::new().route("/", post(delivered).layer(verify));
///
/// let event = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
/// for (body, status) in [(event, 200), ("{}", 422)] {
///     let now = UnixTime::now().ok_or("the clock returned no time")?;
///     let headers = Signer::new(&secret).sign(now, body.as_bytes());
///     let request = Request::post("/")
///         .header("X-Scrupp-Timestamp", headers.timestamp())
///         .header("X-Scrupp-Signature", headers.signature())
///         .body(Body::from(body))?;
///     assert_eq!(app.clone().oneshot(request).await?.status(), status);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "handlers destructure it")]
pub struct ScruppEvent(pub Event);

impl<S: Sync> FromRequestParts<S> for ScruppEvent {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let event = read_event(parts.extensions.get(), parts.extensions.get());
        event.map(Self).map_err(failed)
    }
}

use core::future::{Ready, ready};

use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, dev::Payload};
use scrupp_verify_adapter::read_event;
use scrupp_verify_core::events::Event;

use crate::middleware::failed;

/// The event of a verified delivery, as an extractor.
///
/// Responds with 500 if the middleware is not around the handler, and with 422 if a verified body
/// is not an event; the reason is logged. An event that this version does not know is a value, not
/// an error.
///
/// # Examples
///
/// ```
/// use actix_web::{App, HttpResponse, web};
/// use scrupp_verify_actix::{ScruppEvent, ScruppVerify, Secret, Verified};
///
/// async fn delivered(
///     verified: web::ReqData<Verified>,
///     ScruppEvent(event): ScruppEvent,
/// ) -> HttpResponse {
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
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let event = {
            let extensions = request.extensions();
            read_event(extensions.get(), extensions.get())
        };
        ready(event.map(Self).map_err(failed))
    }
}

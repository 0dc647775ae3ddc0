use core::future::{Ready, ready};

use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, dev::Payload};
use scrupp_verify_adapter::read_event;
use scrupp_verify_core::events::Event;

use crate::middleware::failed;

/// The event of a verified delivery, as an extractor.
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
/// use actix_web::{App, HttpResponse, test, web};
/// use scrupp_verify_actix::{ScruppEvent, ScruppVerify, Secret, Signer, UnixTime};
///
/// async fn delivered(ScruppEvent(event): ScruppEvent) -> HttpResponse {
///     println!("{} of process {:?}", event.name(), event.process_id());
///     HttpResponse::Ok().finish()
/// }
///
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let verify = ScruppVerify::new(secret.clone());
/// let resource = web::resource("/").wrap(verify).to(delivered);
/// let app = test::init_service(App::new().service(resource)).await;
///
/// let event = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
/// for (body, status) in [(event, 200), ("{}", 422)] {
///     let now = UnixTime::now().ok_or("the clock returned no time")?;
///     let headers = Signer::new(&secret).sign(now, body.as_bytes());
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
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "handlers destructure it")]
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

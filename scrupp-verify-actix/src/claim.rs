use core::future::{Ready, ready};

use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, dev::Payload};
use scrupp_verify_adapter::read_claim;
use scrupp_verify_core::dedup::Claimed;

use crate::middleware::failed;

/// The claim of the delivery that the handler runs for, as an extractor.
///
/// With the claim, `SqlxStore::commit_in` of the crate `scrupp-verify-sqlx` acknowledges the delivery in
/// the same transaction as the effects of the handler.
///
/// # Errors
///
/// Responds with 500 if no [`ScruppVerify`](crate::ScruppVerify) with
/// [`dedup`](crate::ScruppVerify::dedup) wraps the handler. The reason is logged.
///
/// # Examples
///
/// ```
/// use actix_web::{App, HttpResponse, test, web};
/// use scrupp_verify_actix::{ScruppClaim, ScruppVerify, Secret, Signer, UnixTime};
/// use scrupp_verify_actix::dedup::MemoryStore;
///
/// async fn delivered(ScruppClaim(claimed): ScruppClaim) -> HttpResponse {
///     println!("delivery {} is claimed", claimed.id());
///     HttpResponse::Ok().finish()
/// }
///
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::now().ok_or("the clock returned no time")?;
/// let headers = Signer::new(&secret).sign(now, b"{}");
///
/// let without_store = ScruppVerify::new(secret);
/// let with_store = without_store.clone().dedup(MemoryStore::default());
/// for (verify, status) in [(with_store, 200), (without_store, 500)] {
///     let resource = web::resource("/").wrap(verify).to(delivered);
///     let app = test::init_service(App::new().service(resource)).await;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "handlers destructure it")]
pub struct ScruppClaim(pub Claimed);

impl FromRequest for ScruppClaim {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let claimed = read_claim(request.extensions().get());
        ready(claimed.map(Self).map_err(failed))
    }
}

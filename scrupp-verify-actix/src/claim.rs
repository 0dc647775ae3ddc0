use core::future::{Ready, ready};

use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, dev::Payload};
use scrupp_verify_adapter::read_claim;
use scrupp_verify_core::dedup::Claimed;

use crate::middleware::failed;

/// The claim that a handler runs under, as an extractor.
///
/// With it, `commit_in` of `scrupp-verify-sqlx` acknowledges the delivery in the transaction of the
/// handler's effects. Responds with 500 if no middleware with [`dedup`](crate::ScruppVerify::dedup)
/// is around the handler; the reason is logged.
///
/// # Examples
///
/// ```
/// use actix_web::{App, HttpResponse, web};
/// use scrupp_verify_actix::{ScruppClaim, ScruppVerify, Secret, dedup::MemoryStore};
///
/// async fn delivered(ScruppClaim(claimed): ScruppClaim) -> HttpResponse {
///     println!("delivery {} is claimed", claimed.id());
///     HttpResponse::Ok().finish()
/// }
///
/// # fn main() -> Result<(), scrupp_verify_actix::ConfigError> {
/// let verify = ScruppVerify::new(Secret::new("topsecret")?).dedup(MemoryStore::default());
/// let app = App::new().service(
///     web::resource("/webhooks/scrupp")
///         .wrap(verify)
///         .route(web::post().to(delivered)),
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is there to be taken apart")]
pub struct ScruppClaim(pub Claimed);

impl FromRequest for ScruppClaim {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let claimed = read_claim(request.extensions().get());
        ready(claimed.map(Self).map_err(failed))
    }
}

use axum_core::{extract::FromRequestParts, response::Response};
use http::request::Parts;
use scrupp_verify_adapter::read_claim;
use scrupp_verify_core::dedup::Claimed;

use crate::layer::failed;

/// The claim that a handler runs under, as an axum extractor.
///
/// With it, `commit_in` of `scrupp-verify-sqlx` acknowledges the delivery in the transaction of the
/// handler's effects. Responds with 500 if no layer with [`dedup`](crate::ScruppVerify::dedup) is
/// around the handler; the reason is logged.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::post};
/// use scrupp_verify_tower::{ScruppClaim, ScruppVerify, Secret, dedup::MemoryStore};
///
/// async fn delivered(ScruppClaim(claimed): ScruppClaim) {
///     println!("delivery {} is claimed", claimed.id());
/// }
///
/// # fn main() -> Result<(), scrupp_verify_tower::ConfigError> {
/// let verify = ScruppVerify::new(Secret::new("topsecret")?).dedup(MemoryStore::default());
/// let app: Router = Router::new().route("/webhooks/scrupp", post(delivered).layer(verify));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is there to be taken apart")]
pub struct ScruppClaim(pub Claimed);

impl<S: Sync> FromRequestParts<S> for ScruppClaim {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let claimed = read_claim(parts.extensions.get());
        claimed.map(Self).map_err(failed)
    }
}

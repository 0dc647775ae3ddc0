use axum_core::{extract::FromRequestParts, response::Response};
use http::request::Parts;
use scrupp_verify_adapter::read_claim;
use scrupp_verify_core::dedup::Claimed;

use crate::layer::failed;

/// The claim of the delivery that the handler runs for, as an axum extractor.
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
/// use axum::{Router, body::Body, http::Request, routing::post};
/// use scrupp_verify_tower::{ScruppClaim, ScruppVerify, Secret, Signer, UnixTime};
/// use scrupp_verify_tower::dedup::MemoryStore;
/// use tower::ServiceExt;
///
/// async fn delivered(ScruppClaim(claimed): ScruppClaim) {
///     println!("delivery {} is claimed", claimed.id());
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::now().ok_or("the clock returned no time")?;
/// let headers = Signer::new(&secret).sign(now, b"{}");
///
/// let without_store = ScruppVerify::new(secret);
/// let with_store = without_store.clone().dedup(MemoryStore::default());
/// for (verify, status) in [(with_store, 200), (without_store, 500)] {
///     let app = Router::new().route("/", post(delivered).layer(verify));
///     let request = Request::post("/")
///         .header("X-Scrupp-Timestamp", headers.timestamp())
///         .header("X-Scrupp-Signature", headers.signature())
///         .body(Body::from("{}"))?;
///     assert_eq!(app.oneshot(request).await?.status(), status);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "handlers destructure it")]
pub struct ScruppClaim(pub Claimed);

impl<S: Sync> FromRequestParts<S> for ScruppClaim {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let claimed = read_claim(parts.extensions.get());
        claimed.map(Self).map_err(failed)
    }
}

use core::{fmt::Display, time::Duration};

use super::{Claim, ClaimToken, DeliveryId};

/// A store that deliveries are claimed in: in memory for one process, or shared by several.
///
/// The rules are those of [`Record`](super::Record). Each operation is atomic: of two claims at
/// once, one is granted.
///
/// # Cancel safety
///
/// A future that is dropped may or may not have had its effect. An adapter that drops a claim
/// releases it.
pub trait DeliveryStore {
    /// The reason of a failure, for the operator's log. Must contain nothing of a delivery, and no
    /// password.
    type Error: Display;

    /// Claims a delivery for `token` until `lease` has passed.
    fn claim(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        lease: Duration,
    ) -> impl Future<Output = Result<Claim, Self::Error>> + Send;

    /// Acknowledges a delivery until `retention` has passed. Returns `false` if another token holds
    /// the claim.
    fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Releases the claim if `token` holds it, so the next attempt is granted.
    fn release(
        &self,
        id: DeliveryId,
        token: ClaimToken,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Releases the claim without waiting, as a destructor needs it, and returns whether it did.
    ///
    /// By default returns `false`, and the release runs as a background task.
    fn release_now(&self, id: DeliveryId, token: ClaimToken) -> bool {
        let _ = (id, token);
        false
    }
}

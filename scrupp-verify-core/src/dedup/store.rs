use core::{fmt::Display, time::Duration};

use super::{Claim, ClaimToken, DeliveryId};

/// Where deliveries are claimed: in memory for one process, shared for several.
///
/// The rules are those of [`Record`](super::Record). Each operation is atomic: of two claims at
/// once, one is granted.
///
/// # Cancel safety
///
/// A future that is dropped may or may not have had its effect. Whoever drops a claim releases it.
pub trait DeliveryStore {
    /// Why an operation failed, for the operator's log: nothing of a delivery, and no password.
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

    /// Does what [`release`](Self::release) does where that needs no waiting, as in a destructor,
    /// and says whether it has.
    ///
    /// By default it does nothing, and the release goes on in the background.
    fn release_now(&self, id: DeliveryId, token: ClaimToken) -> bool {
        let _ = (id, token);
        false
    }
}

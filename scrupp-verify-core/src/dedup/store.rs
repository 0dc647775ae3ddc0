use core::{fmt::Display, time::Duration};

use super::{Claim, DeliveryId, Owner};

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

    /// Claims a delivery for `owner` for the time of `lease`.
    fn claim(
        &self,
        id: DeliveryId,
        owner: Owner,
        lease: Duration,
    ) -> impl Future<Output = Result<Claim, Self::Error>> + Send;

    /// Remembers for the time of `retention` that a delivery was handled; `false` where somebody
    /// else holds the claim by now.
    fn commit(
        &self,
        id: DeliveryId,
        owner: Owner,
        retention: Duration,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Gives up a claim, if it is still the owner's, so that the next attempt gets through.
    fn release(
        &self,
        id: DeliveryId,
        owner: Owner,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Does what [`release`](Self::release) does where that needs no waiting, as in a destructor,
    /// and says whether it has.
    ///
    /// By default it does nothing, and the release goes on in the background.
    fn release_now(&self, id: DeliveryId, owner: Owner) -> bool {
        let _ = (id, owner);
        false
    }
}

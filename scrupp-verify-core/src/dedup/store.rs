use core::{fmt::Display, time::Duration};

use super::{Claim, ClaimToken, DeliveryId};

/// A store in which deliveries are claimed.
///
/// An implementation must follow the rules of [`Record`](super::Record). Each operation must be
/// atomic: if two attempts claim a delivery at the same time, only one claim is granted.
///
/// # Cancel safety
///
/// If the future of an operation is dropped, the operation may or may not have taken effect. The
/// adapters release a claim whose future they drop.
///
/// # Examples
///
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::Duration};
/// use scrupp_verify_core::{
///     UnixTime,
///     dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, Record},
/// };
///
/// #[derive(Default)]
/// struct MapStore {
///     records: Mutex<HashMap<DeliveryId, Option<Record>>>,
/// }
///
/// impl MapStore {
///     fn update<T>(
///         &self,
///         id: DeliveryId,
///         rule: impl FnOnce(&mut Option<Record>, UnixTime) -> T,
///     ) -> Result<T, &'static str> {
///         let now = UnixTime::now().ok_or("the clock returned no time")?;
///         let mut records = self.records.lock().map_err(|_| "the store is poisoned")?;
///         Ok(rule(records.entry(id).or_default(), now))
///     }
/// }
///
/// impl DeliveryStore for MapStore {
///     type Error = &'static str;
///
///     async fn claim(
///         &self,
///         id: DeliveryId,
///         token: ClaimToken,
///         lease: Duration,
///     ) -> Result<Claim, Self::Error> {
///         self.update(id, |record, now| Record::claim(record, token, now, lease))
///     }
///
///     async fn commit(
///         &self,
///         id: DeliveryId,
///         token: ClaimToken,
///         retention: Duration,
///     ) -> Result<bool, Self::Error> {
///         self.update(id, |record, now| Record::commit(record, token, now, retention))
///     }
///
///     async fn release(&self, id: DeliveryId, token: ClaimToken) -> Result<(), Self::Error> {
///         self.update(id, |record, _| Record::release(record, token))
///     }
/// }
///
/// # async fn example() -> Result<(), &'static str> {
/// let store = MapStore::default();
/// let id = DeliveryId::of(&[b"6666"]);
/// let (first, second) = (ClaimToken::from_bytes([1; 16]), ClaimToken::from_bytes([2; 16]));
/// let lease = Duration::from_secs(60);
///
/// assert_eq!(store.claim(id, first, lease).await?, Claim::Granted);
/// assert_eq!(store.claim(id, second, lease).await?, Claim::InFlight);
/// store.release(id, first).await?;
/// assert_eq!(store.claim(id, second, lease).await?, Claim::Granted);
/// # Ok(())
/// # }
/// # let mut context = core::task::Context::from_waker(core::task::Waker::noop());
/// # assert_eq!(core::pin::pin!(example()).poll(&mut context), core::task::Poll::Ready(Ok(())));
/// ```
pub trait DeliveryStore {
    /// The error of an operation, which the adapters log.
    ///
    /// # Security
    ///
    /// The error must not contain passwords or data of a delivery.
    type Error: Display;

    /// Claims a delivery for `token` until the lease expires.
    fn claim(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        lease: Duration,
    ) -> impl Future<Output = Result<Claim, Self::Error>> + Send;

    /// Acknowledges a delivery until the retention expires. Returns `false` if another token holds
    /// the claim.
    fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Releases the claim if `token` holds it.
    fn release(
        &self,
        id: DeliveryId,
        token: ClaimToken,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Releases the claim without waiting, and returns whether the release is complete.
    ///
    /// Destructors call this method. The default implementation returns `false`, and the adapters
    /// then run [`release`](Self::release) in a background task.
    fn release_now(&self, id: DeliveryId, token: ClaimToken) -> bool {
        let _ = (id, token);
        false
    }
}

use core::time::Duration;

use super::{ClaimToken, DeliveryId};

/// The claim that a handler runs under. Adapters leave it in the request's extensions.
///
/// With it, a store can commit the claim together with the handler's own effects, in one transaction.
/// A second adapter around the same handler does not claim the delivery again.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use scrupp_verify_core::dedup::{ClaimToken, Claimed, DeliveryId};
///
/// let (id, token) = (DeliveryId::of(&[b"6666"]), ClaimToken::from_bytes([7; 16]));
/// let claimed = Claimed::new(id, token, Duration::from_secs(86_400));
/// assert_eq!(claimed.id(), id);
/// assert_eq!(claimed.token(), token);
/// assert_eq!(claimed.retention(), Duration::from_secs(86_400));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    id: DeliveryId,
    token: ClaimToken,
    retention: Duration,
}

impl Claimed {
    /// Creates the description of a granted claim, for an adapter or a test.
    #[must_use]
    pub const fn new(id: DeliveryId, token: ClaimToken, retention: Duration) -> Self {
        Self {
            id,
            token,
            retention,
        }
    }

    /// Returns the id of the delivery that was claimed.
    #[must_use]
    pub const fn id(&self) -> DeliveryId {
        self.id
    }

    /// Returns the token that holds the claim.
    #[must_use]
    pub const fn token(&self) -> ClaimToken {
        self.token
    }

    /// Returns how long the delivery is remembered once the claim is committed.
    #[must_use]
    pub const fn retention(&self) -> Duration {
        self.retention
    }
}

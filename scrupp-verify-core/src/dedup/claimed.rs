use core::time::Duration;

use super::{ClaimToken, DeliveryId};

/// The claim that a handler runs under.
///
/// The adapters insert a `Claimed` into the extensions of the request. A store can use it to commit
/// the claim in the same transaction as the effects of the handler. A second adapter around the
/// same handler does not claim the same id again.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use scrupp_verify_core::dedup::{ClaimToken, Claimed, DeliveryId};
///
/// let id = DeliveryId::of(&[b"6666"]);
/// let token = ClaimToken::from_bytes([7; 16]);
/// let claimed = Claimed::new(id, token, Duration::from_secs(86_400));
///
/// assert_eq!(claimed.id(), id);
/// assert_eq!(claimed.token(), token);
/// assert_eq!(claimed.retention(), Duration::from_secs(86_400));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claimed {
    id: DeliveryId,
    token: ClaimToken,
    retention: Duration,
}

impl Claimed {
    /// Creates a `Claimed` for a granted claim. Intended for adapters and tests.
    #[must_use]
    pub const fn new(id: DeliveryId, token: ClaimToken, retention: Duration) -> Self {
        Self {
            id,
            token,
            retention,
        }
    }

    /// Returns the id of the claimed delivery.
    #[must_use]
    pub const fn id(&self) -> DeliveryId {
        self.id
    }

    /// Returns the token of the claim.
    #[must_use]
    pub const fn token(&self) -> ClaimToken {
        self.token
    }

    /// Returns the duration for which the store remembers the delivery after a commit.
    #[must_use]
    pub const fn retention(&self) -> Duration {
        self.retention
    }
}

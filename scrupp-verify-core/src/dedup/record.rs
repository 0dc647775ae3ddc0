use core::time::Duration;

use crate::UnixTime;

/// The result of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle each result")]
pub enum Claim {
    /// The caller can handle the delivery until the lease expires.
    Granted,
    /// Another attempt is handling the delivery.
    InFlight,
    /// The delivery has already been handled.
    Acknowledged,
}

/// A random number that identifies one attempt to handle a delivery.
///
/// # Security
///
/// Generate each token with the random number generator of the operating system. A token must be
/// unique among all processes that share a store. Other generators may repeat numbers after a
/// `fork`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClaimToken([u8; 16]);

impl ClaimToken {
    /// Creates a token from a random number.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the number.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The state of a delivery in a store, with the rules for changing it.
///
/// `None` is the state of an unknown delivery. An expired record is treated like `None`.
///
/// A [`UnixTime`] has no fraction of a second, so a claim at 0 s may have happened at 0.999 s. A
/// lease or retention therefore starts at the next second, and is rounded up to whole seconds. For
/// example, a lease of 60 s that is claimed at 0 s expires at 61 s.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use scrupp_verify_core::{UnixTime, dedup::{Claim, ClaimToken, Record}};
///
/// let (lease, retention) = (Duration::from_secs(60), Duration::from_secs(86_400));
/// let [first, second] = [ClaimToken::from_bytes([1; 16]), ClaimToken::from_bytes([2; 16])];
/// let at = UnixTime::from_secs;
/// let mut record = None;
///
/// assert_eq!(Record::claim(&mut record, first, at(0), lease), Claim::Granted);
/// assert_eq!(Record::claim(&mut record, second, at(60), lease), Claim::InFlight);
///
/// // The lease of the first attempt has expired.
/// assert_eq!(Record::claim(&mut record, second, at(61), lease), Claim::Granted);
///
/// // The first attempt cannot release or commit the claim of the second.
/// Record::release(&mut record, first);
/// assert!(!Record::commit(&mut record, first, at(62), retention));
///
/// assert!(Record::commit(&mut record, second, at(63), retention));
/// assert_eq!(Record::claim(&mut record, first, at(64), lease), Claim::Acknowledged);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a store must keep each variant")]
pub enum Record {
    /// An attempt is handling the delivery.
    InFlight {
        /// The token of the attempt.
        token: ClaimToken,
        /// The time when the lease expires.
        expires_at: UnixTime,
    },
    /// The delivery has already been handled.
    Acknowledged {
        /// The time when the retention expires.
        expires_at: UnixTime,
    },
}

impl Record {
    /// Claims a delivery for `token` until the lease expires.
    ///
    /// If `token` already holds the claim, the claim is granted again with a new lease, because the
    /// result of the first attempt to claim may have been lost.
    pub fn claim(
        record: &mut Option<Self>,
        token: ClaimToken,
        now: UnixTime,
        lease: Duration,
    ) -> Claim {
        match record {
            Some(Self::Acknowledged { expires_at }) if now < *expires_at => Claim::Acknowledged,
            Some(Self::InFlight {
                token: holder,
                expires_at,
            }) if now < *expires_at && *holder != token => Claim::InFlight,
            _ => {
                let expires_at = now.after(lease);
                *record = Some(Self::InFlight { token, expires_at });
                Claim::Granted
            }
        }
    }

    /// Acknowledges a delivery until the retention expires. Returns `false` if another token holds
    /// the claim.
    ///
    /// A claim whose lease has expired can still be committed if no other token has claimed the
    /// delivery, because the delivery was handled.
    pub fn commit(
        record: &mut Option<Self>,
        token: ClaimToken,
        now: UnixTime,
        retention: Duration,
    ) -> bool {
        let held_by_another = matches!(
            record,
            Some(Self::InFlight { token: holder, expires_at })
                if now < *expires_at && *holder != token
        );
        if !held_by_another {
            let expires_at = now.after(retention);
            *record = Some(Self::Acknowledged { expires_at });
        }
        !held_by_another
    }

    /// Releases the claim if `token` holds it.
    pub fn release(record: &mut Option<Self>, token: ClaimToken) {
        if matches!(record, Some(Self::InFlight { token: holder, .. }) if *holder == token) {
            *record = None;
        }
    }

    /// Returns the time when the record expires.
    #[must_use]
    pub const fn expires_at(&self) -> UnixTime {
        match self {
            Self::InFlight { expires_at, .. } | Self::Acknowledged { expires_at } => *expires_at,
        }
    }
}

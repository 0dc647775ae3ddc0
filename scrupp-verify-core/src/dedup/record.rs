use core::time::Duration;

use crate::UnixTime;

/// The result of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle each result")]
pub enum Claim {
    /// The caller may handle the delivery until the lease expires.
    Granted,
    /// Another attempt is handling the delivery.
    InFlight,
    /// The delivery was handled.
    Acknowledged,
}

/// A number that identifies one attempt to handle a delivery, and so the holder of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClaimToken([u8; 16]);

impl ClaimToken {
    /// Creates the token with this number.
    ///
    /// The number must be unique among all attempts of all processes that share a store. Take it from
    /// the operating system's random numbers, because other generators may repeat values after a
    /// `fork`.
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

/// The state of one delivery in a store, and the rules by which that state changes.
///
/// `None` is a delivery without a record. An expired record counts as none.
///
/// A [`UnixTime`] has lost its fraction of a second, so a claim at 0 can be one at 0.999. To last at
/// least as long as asked, a lease or retention therefore counts from the next second, and its own
/// fraction is rounded up: a lease of 60 s expires at 61.
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
/// // The first one crashed, and its lease has expired.
/// assert_eq!(Record::claim(&mut record, second, at(61), lease), Claim::Granted);
/// // The first one was only slow. Its token no longer holds the claim.
/// Record::release(&mut record, first);
/// assert!(!Record::commit(&mut record, first, at(62), retention));
/// assert!(Record::commit(&mut record, second, at(63), retention));
/// assert_eq!(Record::claim(&mut record, first, at(64), lease), Claim::Acknowledged);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store must keep each variant")]
pub enum Record {
    /// An attempt is handling the delivery.
    InFlight {
        /// The attempt that holds the claim.
        token: ClaimToken,
        /// The end of the lease.
        expires_at: UnixTime,
    },
    /// The delivery was handled.
    Acknowledged {
        /// The end of the retention.
        expires_at: UnixTime,
    },
}

impl Record {
    /// Claims a delivery for `token` until the lease expires.
    ///
    /// Grants the claim again, with a new lease, if `token` already holds it: the response to the
    /// first claim may have been lost.
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

    /// Acknowledges a delivery and returns `true`, unless another token holds the claim.
    ///
    /// A lease that has expired does not prevent this if no other token has claimed the delivery
    /// since, because the delivery was handled.
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

    /// Returns when the record expires.
    #[must_use]
    pub const fn expires_at(&self) -> UnixTime {
        match self {
            Self::InFlight { expires_at, .. } | Self::Acknowledged { expires_at } => *expires_at,
        }
    }
}

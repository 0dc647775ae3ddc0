use core::time::Duration;

use crate::UnixTime;

/// What a store answers to one who wants to handle a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever claims must know what each answer means"
)]
pub enum Claim {
    /// It is theirs to handle until the lease ends.
    Granted,
    /// Somebody else is handling it.
    InFlight,
    /// It has been handled.
    Acknowledged,
}

/// Who holds a claim: a number that no two attempts share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner([u8; 16]);

impl Owner {
    /// The owner with this number, which has to be unique among all processes that share a store
    /// and all their attempts.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The number.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// An owner like no other, from the randomness that the standard library's hash maps are
    /// seeded with.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn random() -> Self {
        use core::hash::BuildHasher;
        let random = std::collections::hash_map::RandomState::new();
        let halves = [random.hash_one(0_u8), random.hash_one(1_u8)];
        let mut bytes = [0; 16];
        for (to, half) in bytes.as_chunks_mut().0.iter_mut().zip(halves) {
            *to = half.to_be_bytes();
        }
        Self(bytes)
    }
}

/// What is remembered of one delivery, and the rules by which that changes.
///
/// A store without a record of a delivery, or with one that is over, has `None`.
///
/// A [`UnixTime`] has lost its fraction of a second, so a claim at 0 can be one at 0.999. To last at
/// least as long as asked, a lease or retention therefore counts from the next second, and its own
/// fraction is rounded up: a lease of 60 s expires at 61.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use scrupp_verify_core::{UnixTime, dedup::{Claim, Owner, Record}};
///
/// let (lease, retention) = (Duration::from_secs(60), Duration::from_secs(86_400));
/// let [first, second] = [Owner::from_bytes([1; 16]), Owner::from_bytes([2; 16])];
/// let at = UnixTime::from_secs;
/// let mut record = None;
///
/// assert_eq!(Record::claim(&mut record, first, at(0), lease), Claim::Granted);
/// assert_eq!(Record::claim(&mut record, second, at(60), lease), Claim::InFlight);
/// // The first one crashed: its lease is over.
/// assert_eq!(Record::claim(&mut record, second, at(61), lease), Claim::Granted);
/// // It was only slow. What it says now is not its to say any more.
/// Record::release(&mut record, first);
/// assert!(!Record::commit(&mut record, first, at(62), retention));
/// assert!(Record::commit(&mut record, second, at(63), retention));
/// assert_eq!(Record::claim(&mut record, first, at(64), lease), Claim::Acknowledged);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store has to keep each of them")]
pub enum Record {
    /// Somebody handles it, and has until then.
    InFlight {
        /// Who that is.
        owner: Owner,
        /// When the lease is over.
        until: UnixTime,
    },
    /// It was handled, and that is remembered until then.
    Acknowledged {
        /// When it is forgotten.
        until: UnixTime,
    },
}

impl Record {
    /// Claims a delivery for `owner` until the lease is over. To claim again what one holds
    /// already, as after a lost answer, is granted and renews the lease.
    pub fn claim(record: &mut Option<Self>, owner: Owner, now: UnixTime, lease: Duration) -> Claim {
        match record {
            Some(Self::Acknowledged { until }) if now < *until => Claim::Acknowledged,
            Some(Self::InFlight {
                owner: holder,
                until,
            }) if now < *until && *holder != owner => Claim::InFlight,
            _ => {
                let until = now.after(lease);
                *record = Some(Self::InFlight { owner, until });
                Claim::Granted
            }
        }
    }

    /// Remembers a delivery as handled, unless somebody else holds it by now; says whether it is
    /// remembered.
    ///
    /// It is also where the owner's lease is over and nobody else has claimed it since: it *was*
    /// handled.
    pub fn commit(
        record: &mut Option<Self>,
        owner: Owner,
        now: UnixTime,
        retention: Duration,
    ) -> bool {
        let is_anothers = matches!(
            record,
            Some(Self::InFlight { owner: holder, until }) if now < *until && *holder != owner
        );
        if !is_anothers {
            let until = now.after(retention);
            *record = Some(Self::Acknowledged { until });
        }
        !is_anothers
    }

    /// Gives a claim up, if it is still the owner's.
    pub fn release(record: &mut Option<Self>, owner: Owner) {
        if matches!(record, Some(Self::InFlight { owner: holder, .. }) if *holder == owner) {
            *record = None;
        }
    }

    /// When the record is over.
    #[must_use]
    pub const fn until(&self) -> UnixTime {
        match self {
            Self::InFlight { until, .. } | Self::Acknowledged { until } => *until,
        }
    }
}

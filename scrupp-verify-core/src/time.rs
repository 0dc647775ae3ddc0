use core::{fmt, time::Duration};

/// Seconds since 1970-01-01 00:00:00 UTC, as in the header `X-Scrupp-Timestamp`.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::UnixTime;
///
/// let sent = UnixTime::from_secs(1_735_471_800);
/// let now = UnixTime::from_secs(1_735_471_830);
/// assert_eq!(now.secs_since(sent), 30);
/// assert_eq!(sent.secs_since(now), -30);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// Creates the time this many seconds after the Unix epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Returns the seconds since the Unix epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Returns the seconds from `earlier` to `self`. Negative if `earlier` is later than `self`.
    /// Saturates at the bounds of `i64`.
    #[must_use]
    pub fn secs_since(self, earlier: Self) -> i64 {
        match self.0.checked_sub(earlier.0) {
            Some(after) => i64::try_from(after).unwrap_or(i64::MAX),
            None => {
                let before = i64::try_from(earlier.0.abs_diff(self.0));
                before.map_or(i64::MIN, i64::wrapping_neg)
            }
        }
    }

    /// Returns the first second that begins at least `duration` after every instant of this one.
    ///
    /// A clock that reads `self` may be just short of the next second, so this counts from there.
    /// Saturates at the last second.
    #[cfg(feature = "dedup")]
    pub(crate) const fn after(self, duration: Duration) -> Self {
        let next = self.0.saturating_add(1);
        let end = next.saturating_add(duration.as_secs());
        Self(end.saturating_add((duration.subsec_nanos() > 0) as u64))
    }

    /// Returns the time of the system clock, or `None` if that is before 1970.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::try_from(std::time::SystemTime::now()).ok()
    }
}

/// Drops the fraction of a second; fails for a time before 1970.
#[cfg(feature = "std")]
impl TryFrom<std::time::SystemTime> for UnixTime {
    type Error = std::time::SystemTimeError;

    fn try_from(time: std::time::SystemTime) -> Result<Self, Self::Error> {
        let since_epoch = time.duration_since(std::time::UNIX_EPOCH)?;
        Ok(Self(since_epoch.as_secs()))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a timestamp may be from the receiver's clock: by default 300 s into the past, as
/// Scrupp advises, and 60 s into the future.
///
/// A delivery exactly as old as the tolerance is accepted. The future is shorter, because a
/// recorded delivery can be replayed for as long as past and future together.
///
/// # Security
///
/// Without duplicate handling, a recorded delivery can be replayed for as long as the past
/// tolerance, plus what its timestamp was ahead. Widen it only together with a store that
/// remembers deliveries at least that long.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use scrupp_verify_core::Tolerance;
///
/// let default = Tolerance::default();
/// assert_eq!(default.past(), Duration::from_secs(300));
/// assert_eq!(default.future(), Duration::from_secs(60));
///
/// let strict = Tolerance::new(Duration::from_secs(30), Duration::from_secs(5));
/// assert!(strict.past() < default.past());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    past_secs: u64,
    future_secs: u64,
}

impl Tolerance {
    /// Creates a window from `past` before to `future` after the receiver's time, in whole seconds.
    /// Fractions of a second are dropped.
    #[must_use]
    pub const fn new(past: Duration, future: Duration) -> Self {
        Self {
            past_secs: past.as_secs(),
            future_secs: future.as_secs(),
        }
    }

    /// Returns how old a timestamp may be.
    #[must_use]
    pub const fn past(&self) -> Duration {
        Duration::from_secs(self.past_secs)
    }

    /// Returns how far ahead a timestamp may be.
    #[must_use]
    pub const fn future(&self) -> Duration {
        Duration::from_secs(self.future_secs)
    }

    /// Returns how long one timestamp can be inside the window: past and future together.
    #[must_use]
    pub const fn window(&self) -> Duration {
        Duration::from_secs(self.past_secs.saturating_add(self.future_secs))
    }

    pub(crate) fn is_too_old(&self, sent: UnixTime, now: UnixTime) -> bool {
        now.0.saturating_sub(sent.0) > self.past_secs
    }

    pub(crate) fn is_in_future(&self, sent: UnixTime, now: UnixTime) -> bool {
        sent.0.saturating_sub(now.0) > self.future_secs
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            past_secs: 300,
            future_secs: 60,
        }
    }
}

/// A source of the receiver's time.
///
/// If a clock returns `None`, no delivery is accepted. Any
/// `Fn() -> Option<UnixTime>` is a clock.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Clock, UnixTime};
///
/// let stopped = || Some(UnixTime::from_secs(1_735_471_800));
/// assert_eq!(stopped.now(), Some(UnixTime::from_secs(1_735_471_800)));
/// ```
pub trait Clock {
    /// Returns the time, in whole seconds.
    fn now(&self) -> Option<UnixTime>;
}

impl<F: Fn() -> Option<UnixTime>> Clock for F {
    fn now(&self) -> Option<UnixTime> {
        self()
    }
}

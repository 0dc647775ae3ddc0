use core::{fmt, time::Duration};

/// A time in whole seconds since 1970-01-01 00:00:00 UTC, as in `X-Scrupp-Timestamp`.
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
    /// Creates a time from the number of seconds since the Unix epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Returns the number of seconds since the Unix epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Returns the number of seconds from `earlier` to `self`.
    ///
    /// Negative if `earlier` is later than `self`. Saturates at the bounds of `i64`.
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

    /// Adds a duration, rounded up so that at least `duration` has passed at the returned time.
    ///
    /// The current time may be almost one second later than `self`, so the calculation starts at
    /// the next second. Saturates at `u64::MAX`.
    #[cfg(feature = "dedup")]
    pub(crate) const fn after(self, duration: Duration) -> Self {
        let next = self.0.saturating_add(1);
        let end = next.saturating_add(duration.as_secs());
        Self(end.saturating_add((duration.subsec_nanos() > 0) as u64))
    }

    /// Reads the system clock. Returns `None` if the system clock is set to a time before 1970.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::UnixTime;
    ///
    /// let now = UnixTime::now().expect("system clock before 1970");
    /// assert!(now > UnixTime::from_secs(1_735_471_800));
    /// ```
    #[cfg(feature = "std")]
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::try_from(std::time::SystemTime::now()).ok()
    }
}

/// Drops the fraction of a second. Fails for times before 1970.
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

/// The accepted difference between the timestamp of a delivery and the clock of the receiver.
///
/// The default is 300 s into the past, as Scrupp recommends, and 60 s into the future. The 60 s
/// only compensate for differences between clocks. A higher value would extend the time in which a
/// recorded delivery can be replayed.
///
/// Both bounds are inclusive: with the default, a delivery that is exactly 300 s old is accepted.
///
/// # Security
///
/// Without a store, a recorded delivery can be replayed for up to [`window`](Self::window), which
/// is 360 s by default. If you increase the tolerance, use a store whose retention is at least as
/// long.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use scrupp_verify_core::{Policy, RejectionKind, Secret, Signer, Tolerance, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sent = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&Secret::new("topsecret")?).sign(sent, b"{}");
///
/// let tolerance = Tolerance::new(Duration::from_secs(30), Duration::from_secs(5));
/// let policy = Policy::default().tolerance(tolerance);
/// assert!(policy.check_head(&headers, UnixTime::from_secs(1_735_471_830)).is_ok());
///
/// let late = UnixTime::from_secs(1_735_471_831);
/// let rejection = policy.check_head(&headers, late).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::TooOld);
///
/// let early = UnixTime::from_secs(1_735_471_794);
/// let rejection = policy.check_head(&headers, early).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::InFuture);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tolerance {
    past_secs: u64,
    future_secs: u64,
}

impl Tolerance {
    /// Creates a tolerance of `past` into the past and `future` into the future.
    ///
    /// Fractions of a second are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use scrupp_verify_core::Tolerance;
    ///
    /// let tolerance = Tolerance::new(Duration::from_millis(30_900), Duration::from_secs(5));
    /// assert_eq!(tolerance.past(), Duration::from_secs(30));
    /// assert_eq!(tolerance.future(), Duration::from_secs(5));
    /// assert_eq!(tolerance.window(), Duration::from_secs(35));
    /// ```
    #[must_use]
    pub const fn new(past: Duration, future: Duration) -> Self {
        Self {
            past_secs: past.as_secs(),
            future_secs: future.as_secs(),
        }
    }

    /// Returns the maximum age of a timestamp.
    #[must_use]
    pub const fn past(&self) -> Duration {
        Duration::from_secs(self.past_secs)
    }

    /// Returns the maximum time by which a timestamp may be in the future.
    #[must_use]
    pub const fn future(&self) -> Duration {
        Duration::from_secs(self.future_secs)
    }

    /// Returns the sum of past and future, which is the longest time for which one timestamp is
    /// accepted.
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

/// A source of the current time.
///
/// Implemented for every `Fn() -> Option<UnixTime>`. If a clock returns `None`, the adapters reject
/// every delivery with a 503.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Clock, UnixTime};
///
/// let fixed = || Some(UnixTime::from_secs(1_735_471_800));
/// assert_eq!(fixed.now(), Some(UnixTime::from_secs(1_735_471_800)));
///
/// let unavailable = || None;
/// assert_eq!(unavailable.now(), None);
/// ```
pub trait Clock {
    /// Returns the current time, or `None` if the time is unknown.
    fn now(&self) -> Option<UnixTime>;
}

impl<F: Fn() -> Option<UnixTime>> Clock for F {
    fn now(&self) -> Option<UnixTime> {
        self()
    }
}

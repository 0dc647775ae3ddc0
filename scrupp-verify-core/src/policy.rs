use crate::{
    Headers, Rejection, RejectionKind, SIGNATURE_HEADER, TIMESTAMP_HEADER, Tolerance, UnixTime,
    UnverifiedHead,
    delivery::Prefix,
    mac::{TAG_BYTES, Tag},
};

/// The checks that need no secret: the headers, the tolerance and the body limit.
///
/// A [`Verifier`](crate::Verifier) contains a policy. Use a policy without a verifier if secrets
/// are looked up for each request, so that invalid headers are rejected before the lookup.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Keyring, Policy, RejectionKind, Secret, Signer, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let sent = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&secret).sign(sent, b"{}");
/// let policy = Policy::default();
///
/// let head = policy.check_head(&headers, UnixTime::from_secs(1_735_472_100))?;
/// let keyring = Keyring::from(secret); // Look up the secrets here.
/// assert!(head.verify(&keyring, b"{}").is_ok());
///
/// let later = UnixTime::from_secs(1_735_472_101);
/// let rejection = policy.check_head(&headers, later).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::TooOld);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The accepted difference between the timestamp and the clock of the receiver.
    pub tolerance: Tolerance,
    /// The maximum length of a body in bytes.
    pub body_limit: usize,
}

impl Policy {
    /// Sets the accepted difference between the timestamp and the clock of the receiver.
    ///
    /// The default is 300 s into the past and 60 s into the future. See [`Tolerance`] for the
    /// reasons.
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
    /// let later = UnixTime::from_secs(1_735_471_831);
    /// let rejection = policy.check_head(&headers, later).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::TooOld);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the maximum length of a body in bytes.
    ///
    /// The default is 262,144 bytes (256 KiB). A documented event is about 200 bytes long. The
    /// remainder allows for large `meta` objects.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::{Policy, RejectionKind, Secret, Signer, UnixTime};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let now = UnixTime::from_secs(1_735_471_800);
    /// let signed = Signer::new(&Secret::new("topsecret")?).sign(now, b"{}");
    /// let [signature, timestamp] = signed.pairs();
    /// let policy = Policy::default().body_limit(4096);
    ///
    /// let headers = [signature, timestamp, ("content-length", "4096")];
    /// assert!(policy.check_head(&headers, now).is_ok());
    ///
    /// let headers = [signature, timestamp, ("content-length", "4097")];
    /// let rejection = policy.check_head(&headers, now).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::BodyTooLarge);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Checks the signature header, the timestamp header, the tolerance and the declared length, in
    /// this order.
    ///
    /// The methods of [`UnverifiedHead`] check the signature itself.
    ///
    /// # Errors
    ///
    /// - One of the kinds from [`RejectionKind::MissingSignature`] to [`RejectionKind::InFuture`]
    ///   if a header or the timestamp is invalid.
    /// - [`RejectionKind::BodyTooLarge`] if `Content-Length` exceeds the body limit.
    pub fn check_head<H>(&self, headers: &H, now: UnixTime) -> Result<UnverifiedHead, Rejection>
    where
        H: Headers + ?Sized,
    {
        use RejectionKind as Kind;

        let (mut signature, mut timestamp) = (Value::Missing, Value::Missing);
        let mut declares_too_much = false;
        for (name, value) in headers.headers() {
            match Name::of(name) {
                Some(Name::Signature) => signature.add(value),
                Some(Name::Timestamp) => timestamp.add(value),
                Some(Name::ContentLength) => {
                    declares_too_much |= declares_more_than(value, self.body_limit);
                }
                None => {}
            }
        }
        let signature = signature.single(Kind::MissingSignature, Kind::RepeatedSignature)?;
        let tag = parse_signature(signature).ok_or(Kind::MalformedSignature)?;
        let timestamp = timestamp.single(Kind::MissingTimestamp, Kind::RepeatedTimestamp)?;
        let sent = parse_timestamp(timestamp).ok_or(Kind::MalformedTimestamp)?;
        let age_secs = now.secs_since(sent);
        if self.tolerance.is_too_old(sent, now) {
            return Err(Rejection::aged(Kind::TooOld, age_secs));
        }
        if self.tolerance.is_in_future(sent, now) {
            let kind = match timestamp.len() {
                MILLISECONDS_DIGITS => Kind::TimestampInMilliseconds,
                _ => Kind::InFuture,
            };
            return Err(Rejection::aged(kind, age_secs));
        }
        if declares_too_much {
            return Err(Kind::BodyTooLarge.into());
        }

        Ok(UnverifiedHead {
            tag,
            prefix: Prefix::new(timestamp),
            sent,
            received: now,
            body_limit: self.body_limit,
        })
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            tolerance: Tolerance::default(),
            body_limit: 256 * 1024,
        }
    }
}

/// Unix times in milliseconds have 13 digits from September 2001 to November 2286. Unix times in
/// seconds have 13 digits only from the year 33,658 on.
const MILLISECONDS_DIGITS: usize = 13;

/// The headers that a policy reads.
#[derive(Clone, Copy)]
enum Name {
    Signature,
    Timestamp,
    ContentLength,
}

impl Name {
    const ALL: [(&'static str, Self); 3] = [
        (SIGNATURE_HEADER, Self::Signature),
        (TIMESTAMP_HEADER, Self::Timestamp),
        ("content-length", Self::ContentLength),
    ];

    fn of(candidate: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.iter();
        let found = all.find(|(name, _)| candidate.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|&(_, name)| name)
    }
}

/// The value of a header that must occur exactly once.
enum Value<'a> {
    Missing,
    Single(&'a [u8]),
    Repeated,
}

impl<'a> Value<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Missing => Self::Single(value),
            Self::Single(_) | Self::Repeated => Self::Repeated,
        };
    }

    fn single(
        self,
        missing: RejectionKind,
        repeated: RejectionKind,
    ) -> Result<&'a [u8], RejectionKind> {
        match self {
            Self::Missing => Err(missing),
            Self::Single(value) => Ok(value),
            Self::Repeated => Err(repeated),
        }
    }
}

/// Parses `[1-9][0-9]*` if the number fits in 64 bits.
fn parse_timestamp(value: &[u8]) -> Option<UnixTime> {
    if value.first() == Some(&b'0') {
        return None;
    }
    parse_decimal(value).map(UnixTime::from_secs)
}

fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Returns whether a `Content-Length` exceeds the limit. An invalid value returns `false`, because
/// the received bytes are counted anyway.
fn declares_more_than(declared: &[u8], limit: usize) -> bool {
    let is_number = !declared.is_empty() && declared.iter().all(u8::is_ascii_digit);
    is_number && parse_decimal(declared).is_none_or(|length| length > limit as u64)
}

/// Parses `sha256=` and 64 hex digits of either case. The received signature is public, so the
/// parser does not need to run in constant time.
fn parse_signature(value: &[u8]) -> Option<Tag> {
    let digits: &[u8; 2 * TAG_BYTES] = value.strip_prefix(b"sha256=")?.try_into().ok()?;
    // Two loops without branches compile to a few vector instructions each.
    let values = digits.map(nibble);
    let mut tag = [0; TAG_BYTES];
    for (byte, [high, low]) in tag.iter_mut().zip(values.as_chunks().0) {
        *byte = high << 4 | low;
    }
    let invalid = values.iter().fold(0, |all, value| all | value);
    (invalid <= 0x0f).then_some(tag)
}

/// Returns the value of a hex digit, or a value above 15 for any other byte.
fn nibble(digit: u8) -> u8 {
    let decimal = digit.wrapping_sub(b'0');
    let letter = (digit | 0x20).wrapping_sub(b'a');
    if decimal < 10 {
        decimal
    } else if letter < 6 {
        letter.wrapping_add(10)
    } else {
        0xff
    }
}

#[cfg(test)]
mod tests;

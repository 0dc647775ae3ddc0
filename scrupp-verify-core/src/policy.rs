use crate::{
    Account, Keyring, Rejection, RejectionKind, RequestHead, SIGNATURE_HEADER, TIMESTAMP_HEADER,
    Tolerance, UnixTime,
    delivery::Delivery,
    mac::{TAG_BYTES, Tag, Tail},
};

/// What is asked of a delivery besides its signature: a timestamp inside the tolerance, and a
/// body within the limit.
///
/// A [`Verifier`](crate::Verifier) has one. It is used by itself where the secrets are looked up
/// per request: what the head alone can decide is then decided before the look-up.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Keyring, Policy, Secret, Signer, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let head = Signer::new(&secret).sign(now, b"{}");
///
/// let candidate = Policy::default().admit(&head, now)?;
/// let keyring = Keyring::from(secret); // looked up, now that it is worth the while
/// let mut delivery = candidate.begin(&keyring);
/// delivery.update(b"{}")?;
/// assert!(delivery.finish().is_ok());
///
/// let much_later = UnixTime::from_secs(1_735_471_800 + 301);
/// assert!(Policy::default().admit(&head, much_later).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The window that timestamps are accepted in.
    pub tolerance: Tolerance,
    /// The largest body that is accepted, in bytes.
    pub body_limit: usize,
}

impl Policy {
    /// Swaps the tolerance, by default 300 s into the past and 60 s into the future.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the length in bytes up to which a body is accepted, by default 262,144 (256 KiB).
    ///
    /// A documented event has about 200 bytes; the rest is room for `meta`.
    #[must_use]
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Decides all that can be decided without a secret and without the body: the two headers,
    /// the window, the declared length; in this order.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] with a status of 401 or 413.
    pub fn admit<H>(&self, head: &H, now: UnixTime) -> Result<Candidate, Rejection>
    where
        H: RequestHead + ?Sized,
    {
        use RejectionKind as Kind;

        let (mut signature, mut timestamp) = (Value::Missing, Value::Missing);
        let mut declares_too_much = false;
        for (name, value) in head.headers() {
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

        let mut signed = Tail::EMPTY;
        signed.fill(timestamp);
        signed.fill(b".");
        Ok(Candidate {
            tag,
            signed,
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

/// A head that could belong to a genuine delivery: all is well but for the signature, which
/// nobody has looked at yet.
#[derive(Clone)]
#[must_use = "a candidate is not verified"]
pub struct Candidate {
    pub(crate) tag: Tag,
    /// The beginning of the signed content: the timestamp as it came, and the dot.
    pub(crate) signed: Tail,
    pub(crate) sent: UnixTime,
    pub(crate) received: UnixTime,
    pub(crate) body_limit: usize,
}

impl Candidate {
    /// Goes on to the body, to be verified with these secrets.
    #[inline]
    pub fn begin(&self, keyring: &Keyring) -> Delivery {
        Delivery::new(self, keyring, None, None)
    }

    /// Goes on to the body, to be verified with the secrets of this account. Without an account,
    /// the delivery is rejected once it is complete: [`RejectionKind::UnknownAccount`].
    ///
    /// # Security
    ///
    /// As much is computed for every account as for one with [`Keyring::MAX_SECRETS`] secrets, and
    /// for an account that does not exist too. So the time of a rejection does not tell which
    /// accounts there are, or which of them have a secret in rotation.
    pub fn begin_for(&self, account: Option<&Account>) -> Delivery {
        match account {
            Some(account) => Delivery::new(self, &account.keyring, Some(account.id), None),
            None => Delivery::new(
                self,
                &Keyring::DECOY,
                None,
                Some(RejectionKind::UnknownAccount),
            ),
        }
    }
}

impl core::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Candidate")
            .field("sent", &self.sent)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

/// Milliseconds have 13 digits from September 2001 to November 2286; seconds have as many only
/// after the year 33,658.
const MILLISECONDS_DIGITS: usize = 13;

/// The headers that a policy looks at.
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
        let find = |is_equal: fn(&[u8], &[u8]) -> bool| {
            let mut all = Self::ALL.iter();
            all.find(|(name, _)| is_equal(name.as_bytes(), candidate))
        };
        // Most names come in lower case, and equal bytes are found sooner.
        let found = find(|a, b| a == b).or_else(|| find(<[u8]>::eq_ignore_ascii_case));
        found.map(|&(_, name)| name)
    }
}

/// What has come of a header that must come once.
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

/// `[1-9][0-9]*`, as far as it fits.
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

/// Whether so many bytes of a body are within the limit.
pub(crate) fn check_limit(bytes: usize, limit: usize) -> Result<(), RejectionKind> {
    if bytes > limit {
        return Err(RejectionKind::BodyTooLarge);
    }
    Ok(())
}

/// Whether this `Content-Length` already shows that the body is too long. One that is not a
/// number shows nothing: the bytes themselves are counted.
fn declares_more_than(declared: &[u8], limit: usize) -> bool {
    let is_number = !declared.is_empty() && declared.iter().all(u8::is_ascii_digit);
    is_number && parse_decimal(declared).is_none_or(|length| length > limit as u64)
}

/// `sha256=` and 64 hex digits of either case. The candidate is a stranger's and no secret, so
/// that it need not be read in constant time.
fn parse_signature(value: &[u8]) -> Option<Tag> {
    let digits: &[u8; 2 * TAG_BYTES] = value.strip_prefix(b"sha256=")?.try_into().ok()?;
    // In two loops without branches, each of which compiles to a few vector instructions.
    let values = digits.map(nibble);
    let mut tag = [0; TAG_BYTES];
    for (byte, [high, low]) in tag.iter_mut().zip(values.as_chunks().0) {
        *byte = high << 4 | low;
    }
    let invalid = values.iter().fold(0, |all, value| all | value);
    (invalid <= 0x0f).then_some(tag)
}

/// The value of a hex digit; more than 15 for any other byte.
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

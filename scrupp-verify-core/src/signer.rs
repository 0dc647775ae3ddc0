use core::{fmt, fmt::Write};

use crate::{Headers, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER, UnixTime, mac};

/// Signs deliveries as Scrupp does: for senders, and for tests of receivers.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Secret, Signer, UnixTime, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&secret).sign(now, b"{}");
///
/// assert_eq!(headers.timestamp(), "1735471800");
/// assert!(headers.signature().starts_with("sha256="));
/// assert!(Verifier::new(secret).verify(&headers, b"{}", now).is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Signer {
    secret: Secret,
}

impl Signer {
    /// Creates a signer with a copy of the prepared secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self {
            secret: secret.clone(),
        }
    }

    /// Signs a body that is sent at `now`, and returns the two headers.
    #[must_use]
    pub fn sign(&self, now: UnixTime, body: &[u8]) -> SignedHeaders {
        let timestamp = Text::display(now);
        let message = [timestamp.as_str().as_bytes(), b".", body];
        let tag = mac::tag(self.secret.key(), &message);
        SignedHeaders {
            signature: Text::display(Signature(tag)),
            timestamp,
            time: now,
        }
    }
}

/// The two headers of a signed delivery.
///
/// Implements [`Headers`], so it can be verified directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders {
    signature: Text<{ "sha256=".len() + 64 }>,
    timestamp: Text<20>,
    time: UnixTime,
}

impl SignedHeaders {
    /// Returns the value of `X-Scrupp-Signature`.
    #[must_use]
    pub fn signature(&self) -> &str {
        self.signature.as_str()
    }

    /// Returns the value of `X-Scrupp-Timestamp`.
    #[must_use]
    pub fn timestamp(&self) -> &str {
        self.timestamp.as_str()
    }

    /// Returns the time of the timestamp.
    #[must_use]
    pub const fn time(&self) -> UnixTime {
        self.time
    }

    /// Returns both headers as (name, value), names in lower case.
    #[must_use]
    pub fn pairs(&self) -> [(&'static str, &str); 2] {
        [
            (SIGNATURE_HEADER, self.signature()),
            (TIMESTAMP_HEADER, self.timestamp()),
        ]
    }
}

impl Headers for SignedHeaders {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let pairs = self.pairs().into_iter();
        pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }
}

struct Signature(mac::Tag);

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256=")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A short ASCII text without an allocation.
#[derive(Clone, PartialEq, Eq)]
struct Text<const CAPACITY: usize> {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl<const CAPACITY: usize> Text<CAPACITY> {
    /// Formats a value, as far as it fits.
    fn display(value: impl fmt::Display) -> Self {
        let mut text = Self {
            bytes: [0; CAPACITY],
            len: 0,
        };
        let fits = write!(text, "{value}").is_ok();
        debug_assert!(fits, "the capacity is that of the longest value");
        text
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl<const CAPACITY: usize> Write for Text<CAPACITY> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        let room = free.get_mut(..part.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.len = self.len.saturating_add(part.len());
        Ok(())
    }
}

impl<const CAPACITY: usize> fmt::Debug for Text<CAPACITY> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

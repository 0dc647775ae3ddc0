use core::{fmt, fmt::Write};

use crate::{Headers, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER, UnixTime, mac};

/// Signs deliveries as Scrupp does, for tests of receivers.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{RejectionKind, Secret, Signer, UnixTime, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&secret).sign(now, b"{}");
///
/// let verifier = Verifier::new(secret);
/// assert!(verifier.verify(&headers, b"{}", now).is_ok());
///
/// let rejection = verifier.verify(&headers, b"[]", now).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
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

    /// Signs a body with the timestamp `now`.
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
/// Implements [`Headers`], so a verifier accepts it directly.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Secret, Signer, UnixTime};
///
/// # fn main() -> Result<(), scrupp_verify_core::ConfigError> {
/// let now = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&Secret::new("topsecret")?).sign(now, b"");
///
/// assert_eq!(headers.timestamp(), "1735471800");
/// assert_eq!(
///     headers.signature(),
///     "sha256=5556aeb4e2db090d58f6d0c8a28a1f136f1ff51d3df3f319f25a7f47a21f9990",
/// );
/// # Ok(())
/// # }
/// ```
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

    /// Returns the time of the signature.
    #[must_use]
    pub const fn time(&self) -> UnixTime {
        self.time
    }

    /// Returns both headers as (name, value) pairs, with names in lower case.
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

/// An ASCII string with a fixed capacity, which needs no allocation.
#[derive(Clone, PartialEq, Eq)]
struct Text<const CAPACITY: usize> {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl<const CAPACITY: usize> Text<CAPACITY> {
    /// Formats a value, which must fit the capacity.
    fn display(value: impl fmt::Display) -> Self {
        let mut text = Self {
            bytes: [0; CAPACITY],
            len: 0,
        };
        let fits = write!(text, "{value}").is_ok();
        debug_assert!(fits, "the value exceeds the capacity");
        text
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl<const CAPACITY: usize> Write for Text<CAPACITY> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        let room = free.get_mut(..text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = self.len.saturating_add(text.len());
        Ok(())
    }
}

impl<const CAPACITY: usize> fmt::Debug for Text<CAPACITY> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

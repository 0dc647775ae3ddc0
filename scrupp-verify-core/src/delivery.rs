use core::fmt;

use crate::{Keyring, Rejection, RejectionKind, UnixTime, Verified, VerifiedDelivery, mac::Tag};

/// Headers that passed every check except the signature check.
///
/// Created by [`Policy::check_head`](crate::Policy::check_head).
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Keyring, Policy, RejectionKind, Secret, Signer, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&secret).sign(now, b"{}");
/// let keyring = Keyring::from(secret);
///
/// let head = Policy::default().check_head(&headers, now)?;
/// assert_eq!(head.verify(&keyring, "{}")?.into_body(), "{}");
///
/// let rejection = head.verify(&keyring, "[]").unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a head is verified only together with its body"]
pub struct UnverifiedHead {
    pub(crate) tag: Tag,
    pub(crate) prefix: Prefix,
    pub(crate) sent: UnixTime,
    pub(crate) received: UnixTime,
    pub(crate) body_limit: usize,
}

impl UnverifiedHead {
    /// Verifies a complete body with the secrets of a keyring.
    ///
    /// # Errors
    ///
    /// - [`RejectionKind::BodyTooLarge`] if the body exceeds the limit.
    /// - [`RejectionKind::SignatureMismatch`] if no secret matches.
    /// - [`RejectionKind::UnknownAccount`] if the keyring is [`Keyring::of_unknown_account`].
    #[inline]
    pub fn verify<B: AsRef<[u8]>>(
        &self,
        keyring: &Keyring,
        body: B,
    ) -> Result<VerifiedDelivery<B>, Rejection> {
        let bytes = body.as_ref();
        self.check_limit(bytes.len())?;
        let verified = self.verdict(keyring, &[self.prefix.as_bytes(), bytes])?;
        Ok(VerifiedDelivery { verified, body })
    }

    /// Begins the verification of a complete body in steps.
    ///
    /// Use this method in async code if a body is so large that hashing it at once would block the
    /// thread for too long. See [`VerifySteps`] for an example.
    pub fn verify_in_steps<B: AsRef<[u8]>>(&self, keyring: &Keyring, body: B) -> VerifySteps<B> {
        VerifySteps {
            delivery: self.begin(keyring),
            body,
        }
    }

    /// Begins the verification of a body that is received in chunks.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::{Keyring, Policy, RejectionKind, Secret, Signer, UnixTime};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let secret = Secret::new("topsecret")?;
    /// let now = UnixTime::from_secs(1_735_471_800);
    /// let headers = Signer::new(&secret).sign(now, b"hello world");
    /// let keyring = Keyring::from(secret);
    /// let head = Policy::default().check_head(&headers, now)?;
    ///
    /// let mut delivery = head.begin(&keyring);
    /// delivery.update(b"hello ")?;
    /// delivery.update(b"world")?;
    /// assert!(delivery.finish().is_ok());
    ///
    /// let mut truncated = head.begin(&keyring);
    /// truncated.update(b"hello ")?;
    /// let rejection = truncated.finish().unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
    /// # Ok(())
    /// # }
    /// ```
    pub fn begin(&self, keyring: &Keyring) -> Delivery {
        let mut keyring = keyring.clone();
        keyring.update(self.prefix.as_bytes());
        Delivery {
            head: self.clone(),
            keyring,
            body_bytes: 0,
        }
    }

    /// Returns the proof if the tag matches. For a `Delivery`, `message` is empty, because the keys
    /// already contain the message.
    fn verdict(&self, keyring: &Keyring, message: &[&[u8]]) -> Result<Verified, RejectionKind> {
        Ok(Verified {
            secret_index: keyring.verify(message, &self.tag)?,
            sent: self.sent,
            received: self.received,
            account: keyring.account(),
        })
    }

    fn check_limit(&self, body_bytes: usize) -> Result<(), RejectionKind> {
        if body_bytes > self.body_limit {
            return Err(RejectionKind::BodyTooLarge);
        }
        Ok(())
    }
}

impl fmt::Debug for UnverifiedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedHead")
            .field("sent", &self.sent)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

/// The beginning of the signed content: the timestamp as received, and a dot.
#[derive(Clone)]
pub(crate) struct Prefix {
    /// Space for the 20 digits of the largest `u64`, and the dot.
    bytes: [u8; 21],
    len: usize,
}

impl Prefix {
    pub(crate) fn new(timestamp: &[u8]) -> Self {
        let mut bytes = [b'.'; 21];
        if let Some(to) = bytes.get_mut(..timestamp.len()) {
            to.copy_from_slice(timestamp);
        }
        Self {
            bytes,
            len: timestamp.len().saturating_add(1),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        // The fallback is unreachable, because a timestamp has at most 20 digits.
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// A delivery whose body is received in chunks.
///
/// Created by [`Verifier::begin`](crate::Verifier::begin) or [`UnverifiedHead::begin`]. A
/// `Delivery` owns a copy of the keyring, so the state of a connection can contain it without a
/// lifetime parameter.
///
/// # Security
///
/// Do not process the body before [`finish`](Self::finish) returns `Ok`.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{RejectionKind, Secret, Signer, UnixTime, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&secret).sign(now, b"hello world");
/// let verifier = Verifier::new(secret);
///
/// let mut delivery = verifier.begin(&headers, now)?;
/// delivery.update(b"hello ")?;
/// delivery.update(b"world")?;
/// assert_eq!(delivery.finish()?.time(), now);
///
/// let mut truncated = verifier.begin(&headers, now)?;
/// truncated.update(b"hello ")?;
/// let rejection = truncated.finish().unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a delivery is verified only by `finish`"]
pub struct Delivery {
    head: UnverifiedHead,
    /// A copy whose keys contain the signed content so far.
    keyring: Keyring,
    body_bytes: usize,
}

impl Delivery {
    /// Hashes the next chunk of the body.
    ///
    /// # Errors
    ///
    /// Returns [`RejectionKind::BodyTooLarge`] if all chunks together exceed the limit. The chunk
    /// is not hashed in this case, and the delivery can no longer be verified.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), Rejection> {
        self.body_bytes = self.body_bytes.saturating_add(chunk.len());
        self.head.check_limit(self.body_bytes)?;
        self.keyring.update(chunk);
        Ok(())
    }

    /// Checks the signature, and returns the proof.
    ///
    /// Call this method only after the body is complete.
    ///
    /// # Errors
    ///
    /// The same errors as [`UnverifiedHead::verify`].
    pub fn finish(self) -> Result<Verified, Rejection> {
        self.head.check_limit(self.body_bytes)?;
        Ok(self.head.verdict(&self.keyring, &[])?)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("sent", &self.head.sent)
            .field("body_bytes", &self.body_bytes)
            .finish_non_exhaustive()
    }
}

/// A verification of a complete body in steps.
///
/// Created by [`UnverifiedHead::verify_in_steps`]. Between two steps, async code can yield to other
/// tasks.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Keyring, Policy, RejectionKind, Secret, Signer, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let body = vec![b' '; 100_000];
/// let headers = Signer::new(&secret).sign(now, &body);
/// let keyring = Keyring::from(secret);
/// let head = Policy::default().check_head(&headers, now)?;
///
/// let mut steps = head.verify_in_steps(&keyring, body);
/// while steps.step(65_536) {
///     // Yield to other tasks.
/// }
/// assert_eq!(steps.finish()?.into_body().len(), 100_000);
///
/// let truncated = vec![b' '; 99_999];
/// let rejection = head.verify_in_steps(&keyring, truncated).finish().unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a body is verified only by `finish`"]
pub struct VerifySteps<B> {
    delivery: Delivery,
    body: B,
}

impl<B: AsRef<[u8]>> VerifySteps<B> {
    /// Hashes the next bytes of the body, at most `bytes` of them.
    ///
    /// Returns `true` if bytes were hashed, and `false` if none were left or the body exceeds the
    /// limit.
    pub fn step(&mut self, bytes: usize) -> bool {
        let remaining = remaining(self.body.as_ref(), &self.delivery);
        let step = remaining.get(..bytes).unwrap_or(remaining);
        !step.is_empty() && self.delivery.update(step).is_ok()
    }

    /// Hashes the remaining bytes, checks the signature, and returns the body with its proof.
    ///
    /// # Errors
    ///
    /// The same errors as [`UnverifiedHead::verify`].
    pub fn finish(mut self) -> Result<VerifiedDelivery<B>, Rejection> {
        self.delivery
            .update(remaining(self.body.as_ref(), &self.delivery))?;
        Ok(VerifiedDelivery {
            verified: self.delivery.finish()?,
            body: self.body,
        })
    }
}

fn remaining<'b>(body: &'b [u8], delivery: &Delivery) -> &'b [u8] {
    body.get(delivery.body_bytes..).unwrap_or_default()
}

impl<B> fmt::Debug for VerifySteps<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifySteps")
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

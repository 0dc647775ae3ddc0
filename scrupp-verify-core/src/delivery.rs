use core::fmt;

use crate::{Keyring, Rejection, RejectionKind, UnixTime, Verified, VerifiedDelivery, mac::Tag};

/// The headers of a delivery that passed every check but the signature.
///
/// Made by [`Policy::check_head`](crate::Policy::check_head).
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
    /// [`RejectionKind::BodyTooLarge`] if the body exceeds the limit,
    /// [`RejectionKind::SignatureMismatch`] if no secret matches, and
    /// [`RejectionKind::UnknownAccount`] for [`Keyring::of_unknown_account`].
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

    /// Begins to verify a complete body in steps, so that a large one does not keep a thread from
    /// other work.
    pub fn verify_in_steps<B: AsRef<[u8]>>(&self, keyring: &Keyring, body: B) -> VerifySteps<B> {
        VerifySteps {
            delivery: self.begin(keyring),
            body,
        }
    }

    /// Begins to verify a body that is received in chunks.
    pub fn begin(&self, keyring: &Keyring) -> Delivery {
        let mut keyring = keyring.clone();
        keyring.update(self.prefix.as_bytes());
        Delivery {
            head: self.clone(),
            keyring,
            body_bytes: 0,
        }
    }

    /// Returns the proof if the tag is that of the message, of which the keyring may have taken in a part.
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

/// The beginning of the signed content: the timestamp as it was received, and a dot.
#[derive(Clone)]
pub(crate) struct Prefix {
    /// Room for the digits of a `u64`.
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
        // The digits of a `u64` fit. Otherwise these would be dots, which nobody signs.
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// A delivery whose body is being received.
///
/// Made by [`Verifier::begin`](crate::Verifier::begin) from the head, fed with the body in chunks
/// of any size, and then asked for the verdict. Needs no allocation, and owns a copy of the keyring,
/// so that it can be kept wherever a connection's state is kept.
///
/// # Security
///
/// No byte of the body may be acted on before [`finish`](Self::finish) has returned `Ok`.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{RejectionKind, Secret, Signer, UnixTime, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let head = Signer::new(&secret).sign(now, b"hello world");
/// let verifier = Verifier::new(secret);
///
/// let mut delivery = verifier.begin(&head, now)?;
/// delivery.update(b"hello ")?;
/// delivery.update(b"world")?;
/// assert_eq!(delivery.finish()?.time(), now);
///
/// let mut cut_short = verifier.begin(&head, now)?;
/// cut_short.update(b"hello ")?;
/// let rejection = cut_short.finish().unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a delivery is verified only by `finish`"]
pub struct Delivery {
    head: UnverifiedHead,
    /// A copy, whose keys have taken in the signed content so far.
    keyring: Keyring,
    body_bytes: usize,
}

impl Delivery {
    /// Takes in the next chunk of the body.
    ///
    /// # Errors
    ///
    /// [`RejectionKind::BodyTooLarge`] as soon as the chunks together exceed the limit. The chunk
    /// is not hashed then, and the delivery can no longer be verified.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), Rejection> {
        self.body_bytes = self.body_bytes.saturating_add(chunk.len());
        self.head.check_limit(self.body_bytes)?;
        self.keyring.update(chunk);
        Ok(())
    }

    /// Returns the proof, once the stream has said that the body is complete.
    ///
    /// # Errors
    ///
    /// Those of [`UnverifiedHead::verify`].
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

/// The verification of a complete body in steps.
///
/// Made by [`UnverifiedHead::verify_in_steps`].
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Keyring, Policy, Secret, Signer, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let body = vec![b' '; 100_000];
/// let headers = Signer::new(&secret).sign(now, &body);
/// let head = Policy::default().check_head(&headers, now)?;
///
/// let mut steps = head.verify_in_steps(&Keyring::from(secret), body);
/// while steps.step(65_536) {
///     // Other work.
/// }
/// assert_eq!(steps.finish()?.into_body().len(), 100_000);
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
    /// Hashes the next bytes of the body, at most this many. Returns false if there are none left,
    /// or the body exceeds the limit.
    pub fn step(&mut self, bytes: usize) -> bool {
        let remaining = remaining(self.body.as_ref(), &self.delivery);
        let step = remaining.get(..bytes).unwrap_or(remaining);
        !step.is_empty() && self.delivery.update(step).is_ok()
    }

    /// Hashes what is left of the body, and returns it with the proof.
    ///
    /// # Errors
    ///
    /// Those of [`UnverifiedHead::verify`].
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

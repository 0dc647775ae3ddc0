use core::fmt;

use crate::{AccountId, UnixTime};

/// Proof that a delivery was signed by Scrupp, was not modified, and is fresh.
///
/// Only a verification creates one, so code that gets a `Verified` need not check anything.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Secret, Signer, UnixTime, Verified, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let head = Signer::new(&secret).sign(UnixTime::from_secs(1_735_471_800), b"{}");
/// let now = UnixTime::from_secs(1_735_471_812);
///
/// let delivery = Verifier::new(secret).verify(&head, b"{}", now)?;
/// let verified: &Verified = delivery.verified();
/// assert_eq!(verified.time(), UnixTime::from_secs(1_735_471_800));
/// assert_eq!(verified.age_secs(), 12);
/// assert_eq!(verified.secret_index(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub(crate) sent: UnixTime,
    pub(crate) received: UnixTime,
    pub(crate) secret_index: u16,
    pub(crate) account: Option<AccountId>,
}

impl Verified {
    /// Returns when Scrupp signed the delivery, by its timestamp.
    #[must_use]
    pub const fn time(&self) -> UnixTime {
        self.sent
    }

    /// Returns the age of the delivery in seconds when its headers were received. Negative if the
    /// timestamp was ahead of the receiver's clock.
    #[must_use]
    pub fn age_secs(&self) -> i64 {
        self.received.secs_since(self.sent)
    }

    /// Returns the index of the secret that matched, in the order of the keyring: the first, if a
    /// secret is in there twice.
    ///
    /// Once this is 0 for longer than Scrupp retries, remove the older secrets.
    #[must_use]
    pub const fn secret_index(&self) -> usize {
        self.secret_index as usize
    }

    /// Returns the account whose secret matched, if accounts are looked up.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }
}

/// The body of a delivery with the proof that it was verified.
///
/// Only [`UnverifiedHead::verify`](crate::UnverifiedHead::verify) and
/// [`VerifySteps::finish`](crate::VerifySteps::finish) create one, so a function that takes a
/// `VerifiedDelivery` never gets a forged body.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Secret, Signer, UnixTime, VerifiedDelivery, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&secret).sign(now, b"{}");
/// let verifier = Verifier::new(secret);
///
/// let delivery: VerifiedDelivery<&str> = verifier.verify(&headers, "{}", now)?;
/// assert_eq!(*delivery.body(), "{}");
/// assert_eq!(delivery.verified().age_secs(), 0);
///
/// assert!(verifier.verify(&headers, "[]", now).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifiedDelivery<B> {
    pub(crate) verified: Verified,
    pub(crate) body: B,
}

impl<B: AsRef<[u8]>> VerifiedDelivery<B> {
    /// Returns the proof.
    #[must_use]
    pub const fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Returns the body that was verified.
    #[must_use]
    pub const fn body(&self) -> &B {
        &self.body
    }

    /// Returns the body that was verified, without the proof.
    #[must_use]
    pub fn into_body(self) -> B {
        self.body
    }
}

/// Shows the proof and the length of the body, whose content may be personal.
impl<B: AsRef<[u8]>> fmt::Debug for VerifiedDelivery<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedDelivery")
            .field("verified", &self.verified)
            .field("body_bytes", &self.body.as_ref().len())
            .finish_non_exhaustive()
    }
}

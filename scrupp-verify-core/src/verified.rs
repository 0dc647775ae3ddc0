use core::fmt;

use crate::{AccountId, UnixTime};

/// The proof that a delivery came from Scrupp as it was signed, and in time.
///
/// Only this crate can make one, at the end of a verification: code that is handed a `Verified`
/// need not ask whether something was checked.
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
    /// When Scrupp signed, as it says itself.
    #[must_use]
    pub const fn time(&self) -> UnixTime {
        self.sent
    }

    /// How many seconds old the delivery was when its head came; negative where it was ahead of
    /// the receiver's clock.
    #[must_use]
    pub fn age_secs(&self) -> i64 {
        self.received.secs_since(self.sent)
    }

    /// Which secret matched, counted from 0 in the order of the keyring: the first of them, if it
    /// is in there twice.
    ///
    /// Once this has been 0 for longer than retries go on, the older secrets can be taken out.
    #[must_use]
    pub const fn secret_index(&self) -> usize {
        self.secret_index as usize
    }

    /// The account whose secret matched, where secrets are looked up per request.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }
}

/// The body of a delivery with the proof that it was verified.
///
/// Only [`UnverifiedHead::verify`](crate::UnverifiedHead::verify) and what it stands on create one,
/// so a function that takes a `VerifiedDelivery` never sees a forged body.
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

/// The proof and the length of the body. What is in it may be personal.
impl<B: AsRef<[u8]>> fmt::Debug for VerifiedDelivery<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedDelivery")
            .field("verified", &self.verified)
            .field("body_bytes", &self.body.as_ref().len())
            .finish_non_exhaustive()
    }
}

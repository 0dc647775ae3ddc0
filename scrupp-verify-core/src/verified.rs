use core::fmt;

use crate::{AccountId, UnixTime};

/// Proof that a delivery was signed by Scrupp, was not modified, and is fresh.
///
/// Only a successful verification creates a `Verified`, so functions that take one need no checks
/// of their own.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Secret, Signer, UnixTime, Verified, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let sent = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&secret).sign(sent, b"{}");
/// let verifier = Verifier::new(secret);
///
/// let now = UnixTime::from_secs(1_735_471_812);
/// let delivery = verifier.verify(&headers, b"{}", now)?;
/// let verified: &Verified = delivery.verified();
/// assert_eq!(verified.time(), sent);
/// assert_eq!(verified.age_secs(), 12);
/// assert_eq!(verified.secret_index(), 0);
///
/// assert!(verifier.verify(&headers, b"[]", now).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verified {
    pub(crate) sent: UnixTime,
    pub(crate) received: UnixTime,
    pub(crate) secret_index: u16,
    pub(crate) account: Option<AccountId>,
}

impl Verified {
    /// Returns the timestamp of the delivery.
    #[must_use]
    pub const fn time(&self) -> UnixTime {
        self.sent
    }

    /// Returns the age of the delivery in seconds at the time that was passed to the verification.
    /// Negative if the timestamp was in the future.
    #[must_use]
    pub fn age_secs(&self) -> i64 {
        self.received.secs_since(self.sent)
    }

    /// Returns the index of the secret that matched, in the order of the keyring.
    ///
    /// If the keyring contains the secret more than once, returns the first index. During a
    /// rotation, remove the old secrets after the index has been 0 for longer than Scrupp retries a
    /// delivery.
    #[must_use]
    pub const fn secret_index(&self) -> usize {
        self.secret_index as usize
    }

    /// Returns the account whose secret matched. Returns `None` without an account lookup.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }
}

/// A verified body with the proof of its verification.
///
/// Only a successful verification of a complete body creates a `VerifiedDelivery`, so functions
/// that take one never receive a forged body.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{RejectionKind, Secret, Signer, UnixTime, VerifiedDelivery, Verifier};
///
/// fn handle(delivery: VerifiedDelivery<&str>) -> usize {
///     delivery.into_body().len()
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&secret).sign(now, b"{}");
/// let verifier = Verifier::new(secret);
///
/// assert_eq!(handle(verifier.verify(&headers, "{}", now)?), 2);
///
/// let rejection = verifier.verify(&headers, "[]", now).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
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

    /// Returns the verified body.
    #[must_use]
    pub const fn body(&self) -> &B {
        &self.body
    }

    /// Returns the verified body without the proof.
    #[must_use]
    pub fn into_body(self) -> B {
        self.body
    }
}

/// Shows the proof and the length of the body, but not its content, which may be personal data.
impl<B: AsRef<[u8]>> fmt::Debug for VerifiedDelivery<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedDelivery")
            .field("verified", &self.verified)
            .field("body_bytes", &self.body.as_ref().len())
            .finish_non_exhaustive()
    }
}

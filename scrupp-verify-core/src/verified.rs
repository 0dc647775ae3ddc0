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
/// let verified: Verified = Verifier::new(secret).verify(&head, b"{}", now)?;
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
    pub(crate) secret_index: u8,
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

use crate::{AccountId, Keyring};

/// An account, as returned by an account lookup.
///
/// With account lookups, one endpoint receives the deliveries of several Scrupp accounts.
///
/// # Security
///
/// Give each account a unique id. If two accounts had the same id, a delivery to one could be
/// treated as a duplicate of a delivery to the other.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Account, Policy, RejectionKind, Secret, Signer, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("topsecret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&secret).sign(now, b"{}");
/// let head = Policy::default().check_head(&headers, now)?;
///
/// let account = Account::new("customer-17", secret);
/// let delivery = head.verify(account.keyring(), "{}")?;
/// assert_eq!(delivery.verified().account(), Some(account.id()));
///
/// let other = Account::new("customer-18", Secret::new("another secret")?);
/// let rejection = head.verify(other.keyring(), "{}").unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Account {
    id: AccountId,
    keyring: Keyring,
}

impl Account {
    /// Creates an account from its id and its secrets.
    ///
    /// The operator chooses the id, for example a customer number.
    #[must_use]
    pub fn new(id: impl AsRef<[u8]>, keyring: impl Into<Keyring>) -> Self {
        let id = AccountId::new(id.as_ref());
        let keyring = keyring.into().of_account(id);
        Self { id, keyring }
    }

    /// Returns the id of the account.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// Returns the keyring of the account. A delivery that is verified with this keyring carries
    /// the id of the account.
    ///
    /// # Security
    ///
    /// Verification with this keyring takes as long as with [`Keyring::MAX_SECRETS`] secrets. The
    /// time that a rejection takes therefore does not reveal how many secrets the account has.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }
}

use crate::{AccountId, Keyring};

/// One of several accounts at an endpoint: the result of an account lookup.
///
/// # Security
///
/// The id is a part of each delivery's id. With one id for two accounts, a delivery of one would be
/// a duplicate of the other's.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Account, Secret};
///
/// # fn main() -> Result<(), scrupp_verify_core::ConfigError> {
/// let account = Account::new("customer-17", Secret::new("topsecret")?);
/// assert_eq!(account.id(), Account::new("customer-17", Secret::new("newer")?).id());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Account {
    id: AccountId,
    keyring: Keyring,
}

impl Account {
    /// Creates the account that the operator calls `id`, with the secrets that it may sign with.
    #[must_use]
    pub fn new(id: impl AsRef<[u8]>, keyring: impl Into<Keyring>) -> Self {
        let id = AccountId::new(id.as_ref());
        let keyring = keyring.into().of_account(id);
        Self { id, keyring }
    }

    /// Returns the account's id.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// Returns the keyring to verify with. What it verifies carries the account's id.
    ///
    /// # Security
    ///
    /// As much is computed for every account as for one with [`Keyring::MAX_SECRETS`] secrets. So
    /// the time of a rejection does not tell which accounts have a secret in rotation.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }
}

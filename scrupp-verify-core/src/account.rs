use core::fmt;

use sha2::{Digest, Sha256};

use crate::Keyring;

/// One of many accounts: what a secret lookup finds.
///
/// # Security
///
/// The id keeps accounts apart where duplicates are recognised. Two accounts under one id could
/// make each other's deliveries pass for handled, so the id has to be given.
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
    pub(crate) id: AccountId,
    pub(crate) keyring: Keyring,
}

impl Account {
    /// The account that the operator calls `id`, with the secrets that it may sign with.
    #[must_use]
    pub fn new(id: impl AsRef<[u8]>, keyring: impl Into<Keyring>) -> Self {
        let digest: [u8; 32] = Sha256::digest(id.as_ref()).into();
        Self {
            id: AccountId(digest),
            keyring: keyring.into().padded(),
        }
    }

    /// What identifies the account.
    #[must_use]
    pub fn id(&self) -> AccountId {
        self.id
    }
}

/// The SHA-256 of the id that the operator gave an account: of fixed size, and fit to be compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccountId([u8; 32]);

impl AccountId {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountId(")?;
        for byte in self.0.iter().take(4) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("..)")
    }
}

use core::fmt;

use sha2::{Digest, Sha256};

/// The SHA-256 of the id that the operator gave an account.
///
/// `Display` writes the first 16 hex digits, which the adapters log. To compute them for a known
/// id, run `printf %s customer-17 | sha256sum`.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{Account, Secret};
///
/// # fn main() -> Result<(), scrupp_verify_core::ConfigError> {
/// let account = Account::new("customer-17", Secret::new("topsecret")?);
/// assert_eq!(account.id().to_string(), "db2f1aab1da8bb83");
///
/// let renewed = Account::new("customer-17", Secret::new("another secret")?);
/// assert_eq!(renewed.id(), account.id());
///
/// let other = Account::new("customer-18", Secret::new("topsecret")?);
/// assert_ne!(other.id(), account.id());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccountId([u8; 32]);

impl AccountId {
    pub(crate) fn new(id: &[u8]) -> Self {
        Self(Sha256::digest(id).into())
    }

    /// Returns the 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = self.0.iter().take(8);
        digits.try_for_each(|byte| write!(f, "{byte:02x}"))
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

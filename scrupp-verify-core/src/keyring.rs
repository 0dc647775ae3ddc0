use core::fmt;

use hmac::Mac;

use crate::{
    AccountId, ConfigError, RejectionKind, Secret,
    mac::{self, MacKey, Tag},
};

/// The secrets of one account that a delivery may be signed with, in order: the current one, then
/// older ones.
///
/// Made from one [`Secret`] or an array of them, or with [`Keyring::new`] if their number is known
/// only at run time. A copy allocates nothing.
///
/// # Security
///
/// Never put the secrets of two accounts into one keyring. A delivery's id does not depend on the
/// secret, so an event of one account would be dropped as a duplicate of the other's. Look accounts up
/// instead: a lookup returns an [`Account`](crate::Account), whose id tells them apart.
///
/// # Examples
///
/// While a secret is being replaced, both are accepted, and
/// [`Verified::secret_index`](crate::Verified::secret_index) returns which one matched:
///
/// ```
/// use scrupp_verify_core::{Keyring, Secret, Signer, UnixTime, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let current = Secret::new("new key")?;
/// let previous = Secret::new("old key")?;
/// let from_old = Signer::new(&previous).sign(UnixTime::from_secs(1_735_471_800), b"{}");
///
/// let keyring = Keyring::from([current, previous]);
/// let delivery = Verifier::new(keyring).verify(&from_old, b"{}", from_old.time())?;
/// assert_eq!(delivery.verified().secret_index(), 1);
/// # Ok(())
/// # }
/// ```
///
/// An array of the wrong length does not compile:
///
/// ```compile_fail
/// let none: [scrupp_verify_core::Secret; 0] = [];
/// let keyring = scrupp_verify_core::Keyring::from(none);
/// ```
#[derive(Clone)]
pub struct Keyring {
    keys: [MacKey; Self::MAX_SECRETS],
    /// The number of keys that are secrets; the others are placeholders.
    secrets: usize,
    /// The number of keys that are computed with: those of the secrets, or all.
    computed: usize,
    account: Option<AccountId>,
}

impl Keyring {
    /// The largest number of secrets in a keyring.
    pub const MAX_SECRETS: usize = mac::INDICES.len();

    /// Creates a keyring of these secrets, the current one first.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoSecret`] if there is none, [`ConfigError::TooManySecrets`] if there are more
    /// than [`Keyring::MAX_SECRETS`].
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Result<Self, ConfigError> {
        let mut keyring = Self::empty();
        for secret in secrets {
            let slot = keyring.keys.get_mut(keyring.secrets);
            slot.ok_or(ConfigError::TooManySecrets)?
                .clone_from(secret.key());
            keyring.secrets = keyring.secrets.saturating_add(1);
        }
        keyring.computed = keyring.secrets;
        match keyring.secrets {
            0 => Err(ConfigError::NoSecret),
            _ => Ok(keyring),
        }
    }

    /// Creates the keyring that takes the place of an account's if an account lookup finds none.
    ///
    /// No delivery matches it: each is rejected with [`RejectionKind::UnknownAccount`].
    ///
    /// # Security
    ///
    /// As much is computed with it as with the keyring of any [`Account`](crate::Account), so the
    /// time of a rejection does not tell which accounts exist. Create it once, because that takes
    /// time too.
    #[must_use]
    pub fn of_unknown_account() -> Self {
        Self {
            computed: Self::MAX_SECRETS,
            ..Self::empty()
        }
    }

    /// Makes this the keyring of an account: placeholders are computed like secrets, so that the
    /// time of a verification does not depend on how many secrets there are.
    pub(crate) fn of_account(mut self, id: AccountId) -> Self {
        self.computed = Self::MAX_SECRETS;
        self.account = Some(id);
        self
    }

    pub(crate) fn account(&self) -> Option<AccountId> {
        self.account
    }

    fn empty() -> Self {
        let placeholder = mac::placeholder();
        Self {
            keys: core::array::from_fn(|_| placeholder.clone()),
            secrets: 0,
            computed: 0,
            account: None,
        }
    }

    /// Takes a part of a message into every key.
    pub(crate) fn update(&mut self, part: &[u8]) {
        for key in self.keys.iter_mut().take(self.computed) {
            key.update(part);
        }
    }

    /// Returns the index of the first secret under which `tag` is the tag of the message.
    pub(crate) fn verify(&self, message: &[&[u8]], tag: &Tag) -> Result<u16, RejectionKind> {
        let keys = self.keys.get(..self.computed).unwrap_or_default();
        mac::first_match(keys, self.secrets, message, tag).ok_or(match self.secrets {
            0 => RejectionKind::UnknownAccount,
            _ => RejectionKind::SignatureMismatch,
        })
    }
}

impl From<Secret> for Keyring {
    fn from(secret: Secret) -> Self {
        Self::from([secret])
    }
}

impl<const N: usize> From<[Secret; N]> for Keyring {
    fn from(secrets: [Secret; N]) -> Self {
        const {
            assert!(
                N > 0 && N <= Self::MAX_SECRETS,
                "a keyring holds 1 to 4 secrets"
            )
        };
        let mut keyring = Self::empty();
        for (slot, secret) in keyring.keys.iter_mut().zip(&secrets) {
            slot.clone_from(secret.key());
        }
        keyring.secrets = N;
        keyring.computed = N;
        keyring
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

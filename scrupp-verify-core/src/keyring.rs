use core::fmt;

use hmac::Mac;

use crate::{
    AccountId, ConfigError, RejectionKind, Secret,
    mac::{self, MacKey, Tag},
};

/// The secrets that verify the deliveries of one account.
///
/// A keyring holds 1 to 4 secrets: the current one first and, during a rotation, older ones. Create
/// a keyring from a [`Secret`] or an array of secrets. If the number of secrets is known only at
/// run time, use [`Keyring::new`]. No operation allocates memory.
///
/// # Security
///
/// Do not combine the secrets of two accounts in one keyring. The id of a delivery does not depend
/// on the secret, so an event of one account could be treated as a duplicate of an event of the
/// other. Use an account lookup instead, which returns an [`Account`](crate::Account).
///
/// # Examples
///
/// During a rotation, deliveries that are signed with the old secret are accepted too:
///
/// ```
/// use scrupp_verify_core::{Keyring, RejectionKind, Secret, Signer, UnixTime, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let current = Secret::new("new secret")?;
/// let previous = Secret::new("old secret")?;
/// let now = UnixTime::from_secs(1_735_471_800);
/// let headers = Signer::new(&previous).sign(now, b"{}");
///
/// let during = Verifier::new(Keyring::from([current.clone(), previous]));
/// let delivery = during.verify(&headers, b"{}", now)?;
/// assert_eq!(delivery.verified().secret_index(), 1);
///
/// let after = Verifier::new(Keyring::from(current));
/// let rejection = after.verify(&headers, b"{}", now).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
/// # Ok(())
/// # }
/// ```
///
/// An array with no secret or more than four secrets does not compile:
///
/// ```compile_fail
/// use scrupp_verify_core::{Keyring, Secret};
///
/// let none: [Secret; 0] = [];
/// let keyring = Keyring::from(none);
/// ```
#[derive(Clone)]
pub struct Keyring {
    keys: [MacKey; Self::MAX_SECRETS],
    /// The number of keys that are secrets. The other keys are placeholders.
    secrets: usize,
    /// The number of keys that a verification tries: those of the secrets, or all.
    computed: usize,
    account: Option<AccountId>,
}

impl Keyring {
    /// The maximum number of secrets in a keyring: 4.
    pub const MAX_SECRETS: usize = mac::INDICES.len();

    /// Creates a keyring from an iterator of secrets, the current one first.
    ///
    /// # Errors
    ///
    /// - [`ConfigError::NoSecret`] if there is no secret.
    /// - [`ConfigError::TooManySecrets`] if there are more than [`Keyring::MAX_SECRETS`].
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::{ConfigError, Keyring, Secret};
    ///
    /// # fn main() -> Result<(), ConfigError> {
    /// let secrets = "new secret,old secret".split(',').map(Secret::new);
    /// let keyring = Keyring::new(secrets.collect::<Result<Vec<_>, _>>()?)?;
    ///
    /// assert_eq!(Keyring::new([]).unwrap_err(), ConfigError::NoSecret);
    /// # Ok(())
    /// # }
    /// ```
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

    /// Creates a keyring to use if an account lookup finds no account.
    ///
    /// Every delivery is rejected with [`RejectionKind::UnknownAccount`].
    ///
    /// # Security
    ///
    /// Verification with this keyring takes as long as with the keyring of an
    /// [`Account`](crate::Account). The time that a rejection takes therefore does not reveal
    /// which accounts exist. Create the keyring in advance, because its creation takes time too.
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
    /// let head = Policy::default().check_head(&headers, now)?;
    ///
    /// let rejection = head.verify(&Keyring::of_unknown_account(), b"{}").unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::UnknownAccount);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn of_unknown_account() -> Self {
        Self {
            computed: Self::MAX_SECRETS,
            ..Self::empty()
        }
    }

    /// Assigns the keyring to an account. A verification then also tries the
    /// placeholders in place of missing secrets, so its time does not depend on the number of secrets.
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

    /// Hashes a chunk of the message with every key.
    pub(crate) fn update(&mut self, chunk: &[u8]) {
        for key in self.keys.iter_mut().take(self.computed) {
            key.update(chunk);
        }
    }

    /// Returns the index of the first secret with which the message has the tag `tag`.
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

use core::fmt;

use zeroize::Zeroize;

use crate::{ConfigError, Secret, mac::MacKey};

/// The secrets that a delivery may be signed with, in order: the current one, then older ones.
///
/// Made from one [`Secret`] or an array of them, or with [`Keyring::new`] where their number is
/// known only at run time. A copy is small and allocates nothing.
///
/// # Examples
///
/// While a secret is being replaced, both are accepted, and
/// [`Verified::secret_index`](crate::Verified::secret_index) says which one matched:
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
/// let verified = Verifier::new(keyring).verify(&from_old, b"{}", from_old.time())?;
/// assert_eq!(verified.secret_index(), 1);
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
    /// How many of the keys are secrets; the others are placeholders.
    len: usize,
    /// How many of the keys are computed with: `len`, or all of them.
    computed: usize,
}

impl Keyring {
    /// How many secrets a keyring holds at the most.
    pub const MAX_SECRETS: usize = 4;

    /// Collects secrets, the current one first.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoSecret`] for none at all, [`ConfigError::TooManySecrets`] for more than
    /// [`Keyring::MAX_SECRETS`].
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Result<Self, ConfigError> {
        let mut keyring = Self::EMPTY;
        for secret in secrets {
            let slot = keyring.keys.get_mut(keyring.len);
            slot.ok_or(ConfigError::TooManySecrets)?
                .clone_from(secret.key());
            keyring.set_len(keyring.len.saturating_add(1));
        }
        match keyring.len {
            0 => Err(ConfigError::NoSecret),
            _ => Ok(keyring),
        }
    }

    /// Stands in for the keyring of an account that does not exist. No tag matches.
    pub(crate) const DECOY: Self = Self::EMPTY.padded();

    const EMPTY: Self = Self {
        keys: [const { MacKey::EMPTY }; Self::MAX_SECRETS],
        len: 0,
        computed: 0,
    };

    /// Returns the keyring with placeholders computed like secrets, so that the time of a
    /// verification does not depend on how many secrets there are.
    pub(crate) const fn padded(mut self) -> Self {
        self.computed = Self::MAX_SECRETS;
        self
    }

    const fn set_len(&mut self, len: usize) {
        self.len = len;
        self.computed = len;
    }

    /// Any keys at all, also such as are no secret that [`Secret`] takes.
    #[cfg(test)]
    pub(crate) fn of_keys(keys: &[&[u8]]) -> Self {
        let mut keyring = Self::EMPTY;
        keyring.set_len(keys.len());
        for (slot, key) in keyring.keys.iter_mut().zip(keys) {
            *slot = MacKey::new(key);
        }
        keyring
    }

    #[cfg(test)]
    pub(crate) fn of_placeholders(len: usize) -> Self {
        let mut keyring = Self::EMPTY;
        keyring.set_len(len);
        keyring
    }

    /// Returns the keys to compute with: the secrets, then placeholders if the keyring is padded.
    pub(crate) fn keys(&self) -> &[MacKey] {
        self.keys.get(..self.computed).unwrap_or_default()
    }

    pub(crate) fn keys_mut(&mut self) -> &mut [MacKey] {
        self.keys.get_mut(..self.computed).unwrap_or_default()
    }

    /// Returns whether the key at `index` is a secret, not a placeholder.
    pub(crate) fn is_secret(&self, index: u8) -> bool {
        usize::from(index) < self.len
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
        let mut keyring = Self::EMPTY;
        for (slot, secret) in keyring.keys.iter_mut().zip(&secrets) {
            slot.clone_from(secret.key());
        }
        keyring.set_len(N);
        keyring
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        self.keys_mut().iter_mut().for_each(Zeroize::zeroize);
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("secrets", &self.len)
            .finish_non_exhaustive()
    }
}

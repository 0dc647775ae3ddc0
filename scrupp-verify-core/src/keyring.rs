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
    len: usize,
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
            keyring.len = keyring.len.saturating_add(1);
        }
        match keyring.len {
            0 => Err(ConfigError::NoSecret),
            _ => Ok(keyring),
        }
    }

    /// Stands in for the keyring of an account that does not exist: as much work as one secret.
    pub(crate) const DECOY: Self = Self::placeholders(1);

    const EMPTY: Self = Self::placeholders(0);

    /// Any keys at all, also such as are no secret that [`Secret`] takes.
    #[cfg(test)]
    pub(crate) fn of_keys(keys: &[&[u8]]) -> Self {
        let mut keyring = Self::placeholders(keys.len());
        for (slot, key) in keyring.keys.iter_mut().zip(keys) {
            *slot = MacKey::new(key);
        }
        keyring
    }

    const fn placeholders(len: usize) -> Self {
        Self {
            keys: [const { MacKey::EMPTY }; Self::MAX_SECRETS],
            len,
        }
    }

    pub(crate) fn keys(&self) -> &[MacKey] {
        self.keys.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn keys_mut(&mut self) -> &mut [MacKey] {
        self.keys.get_mut(..self.len).unwrap_or_default()
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
        keyring.len = N;
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

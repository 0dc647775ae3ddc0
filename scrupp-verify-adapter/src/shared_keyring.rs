use std::sync::Arc;

use arc_swap::ArcSwap;
use scrupp_verify_core::{Keyring, Secret};

/// A keyring that can be replaced while the server runs. Clones share it.
///
/// Requests do not wait for a replacement: each delivery is verified with the keyring that is there
/// when its body is complete. The ids of deliveries do not depend on the secret, so a delivery that
/// was handled before a replacement is a duplicate after it.
///
/// # Examples
///
/// ```
/// use scrupp_verify_adapter::SharedKeyring;
/// use scrupp_verify_core::{Keyring, Secret};
///
/// # fn main() -> Result<(), scrupp_verify_core::ConfigError> {
/// let keyring = SharedKeyring::from(Secret::new("topsecret")?);
/// let of_the_layer = keyring.clone();
///
/// // Scrupp's settings page shows a new key. Retries are still signed with the old one.
/// keyring.replace([Secret::new("newer")?, Secret::new("topsecret")?]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SharedKeyring {
    pub(crate) current: Arc<ArcSwap<Keyring>>,
}

impl SharedKeyring {
    /// Replaces the keyring for every delivery that is verified from now on.
    pub fn replace(&self, keyring: impl Into<Keyring>) {
        self.current.store(Arc::new(keyring.into()));
    }
}

impl From<Keyring> for SharedKeyring {
    fn from(keyring: Keyring) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(keyring)),
        }
    }
}

impl From<Secret> for SharedKeyring {
    fn from(secret: Secret) -> Self {
        Keyring::from(secret).into()
    }
}

impl<const N: usize> From<[Secret; N]> for SharedKeyring {
    fn from(secrets: [Secret; N]) -> Self {
        Keyring::from(secrets).into()
    }
}

use std::sync::Arc;

use arc_swap::ArcSwap;
use scrupp_verify_core::{Keyring, Secret};

/// A keyring that can be replaced while the server runs. Clones share one keyring.
///
/// A replacement does not block requests. Each delivery is verified with the keyring that is current
/// when its body is complete. The ids of deliveries do not depend on the secret, so a delivery that
/// was acknowledged before a replacement is still a duplicate.
///
/// # Examples
///
/// ```
/// use scrupp_verify_adapter::SharedKeyring;
/// use scrupp_verify_core::{Keyring, Secret};
///
/// # fn main() -> Result<(), scrupp_verify_core::ConfigError> {
/// let keyring = SharedKeyring::from(Secret::new("older")?);
/// let for_the_adapter = keyring.clone();
///
/// // After a rotation, retries may still be signed with the older secret.
/// keyring.replace([Secret::new("newer")?, Secret::new("older")?]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SharedKeyring {
    pub(crate) current: Arc<ArcSwap<Keyring>>,
}

impl SharedKeyring {
    /// Replaces the keyring for all deliveries that are verified later.
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

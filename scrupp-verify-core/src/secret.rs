use core::fmt;

use crate::{
    ConfigError,
    mac::{self, MacKey},
};

/// The string that Scrupp signs with: the first API key on the account's settings page.
///
/// Holds the key that is prepared from the string, and not the string.
///
/// # Security
///
/// - The secret is an API key too: with it, an attacker can forge deliveries and call the API.
/// - `Debug`, errors and logs never show a secret. The key is wiped when the value is dropped. The
///   string that was passed in, and its copy in the environment of the process, are the caller's.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{ConfigError, Secret};
///
/// assert!(Secret::new("sk_live_51H").is_ok());
/// assert_eq!(Secret::new("").unwrap_err(), ConfigError::EmptySecret);
/// assert_eq!(
///     Secret::new("sk_live_51H\n").unwrap_err(),
///     ConfigError::SpaceAroundSecret,
/// );
/// ```
#[derive(Clone)]
pub struct Secret {
    key: MacKey,
}

impl Secret {
    /// Prepares a secret, taken byte for byte.
    ///
    /// # Errors
    ///
    /// - [`ConfigError::EmptySecret`]: anyone can sign with an empty secret.
    /// - [`ConfigError::NulSecret`]: HMAC pads a key with NUL bytes, so a secret of nothing else
    ///   equals the empty one.
    /// - [`ConfigError::SpaceAroundSecret`]: the secret starts or ends with ASCII whitespace, such as
    ///   the line feed at the end of a file. No delivery would ever match.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let secret = secret.as_ref();
        if secret.is_empty() {
            return Err(ConfigError::EmptySecret);
        }
        if secret.trim_ascii().len() != secret.len() {
            return Err(ConfigError::SpaceAroundSecret);
        }
        if secret.iter().all(|byte| *byte == 0) {
            return Err(ConfigError::NulSecret);
        }
        let key = mac::prepare(secret)?;
        Ok(Self { key })
    }

    pub(crate) fn key(&self) -> &MacKey {
        &self.key
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

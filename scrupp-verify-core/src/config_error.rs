use core::fmt;

/// An invalid setting, reported at configuration time and never later.
///
/// A client's fault is a [`Rejection`](crate::Rejection).
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The secret has no bytes.
    EmptySecret,
    /// The secret consists of NUL bytes, which is the empty secret to HMAC.
    NulSecret,
    /// The secret starts or ends with whitespace, ASCII or other.
    SpaceAroundSecret,
    /// The secret starts or ends with this character, which is not displayed.
    InvisibleCharacter(char),
    /// The secret is in quotes, of which this is the opening one.
    QuotedSecret(char),
    /// There is no secret to verify with.
    NoSecret,
    /// There are more secrets than [`Keyring::MAX_SECRETS`](crate::Keyring::MAX_SECRETS).
    TooManySecrets,
    /// The API origin is not `https://host` or `https://host:port` in canonical form.
    MalformedApiOrigin,
    /// The API origin is `http` and not on this machine.
    InsecureApiOrigin,
    /// Deliveries would be forgotten while their timestamps are still inside the window.
    RetentionTooShort,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match self {
            Self::InvisibleCharacter(character) => {
                return write!(
                    f,
                    "the secret starts or ends with the invisible character U+{:04X}",
                    u32::from(*character)
                );
            }
            Self::QuotedSecret(quote) => {
                return write!(f, "the secret is in quotes ({quote}): remove them");
            }
            Self::EmptySecret => "the secret is empty",
            Self::NulSecret => "the secret consists of NUL bytes only",
            Self::SpaceAroundSecret => {
                "the secret starts or ends with whitespace (a line feed from a file?)"
            }
            Self::NoSecret => "there is no secret",
            Self::TooManySecrets => "there are more than 4 secrets",
            Self::MalformedApiOrigin => {
                "the API origin is not of the form https://host or https://host:port \
                 (lower case, no default port, nothing after it)"
            }
            Self::InsecureApiOrigin => {
                "the API origin is http and not on this machine: the API key would be readable"
            }
            Self::RetentionTooShort => "the retention is shorter than the tolerance",
        };
        f.write_str(message)
    }
}

/// Shows the message, because this is what `main` prints of an error that it returns.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigError({self})")
    }
}

impl core::error::Error for ConfigError {}

use core::fmt;

/// An error that is returned for an invalid setting.
///
/// Constructors and setters return this error, so an invalid setting never affects a request. If a
/// request is invalid, verification returns a [`Rejection`](crate::Rejection) instead.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{ConfigError, Secret};
///
/// let error = Secret::new("topsecret\n").unwrap_err();
/// assert_eq!(error, ConfigError::SpaceAroundSecret);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigError {
    /// The secret is empty.
    EmptySecret,
    /// The secret consists of NUL bytes only.
    NulSecret,
    /// The secret starts or ends with ASCII or Unicode whitespace.
    SpaceAroundSecret,
    /// The secret starts or ends with this invisible character.
    InvisibleCharacter(char),
    /// The secret is enclosed in quotes. The value is the opening quote.
    QuotedSecret(char),
    /// A keyring contains no secret.
    NoSecret,
    /// A keyring contains more than [`Keyring::MAX_SECRETS`](crate::Keyring::MAX_SECRETS) secrets.
    TooManySecrets,
    /// The API origin is not `https://host` or `https://host:port` in canonical form.
    MalformedApiOrigin,
    /// The API origin is `http`, and the host is not a loopback address or `localhost`.
    InsecureApiOrigin,
    /// The retention of a store is shorter than the window of the tolerance.
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
                return write!(f, "the secret is enclosed in quotes ({quote})");
            }
            Self::EmptySecret => "the secret is empty",
            Self::NulSecret => "the secret consists of NUL bytes only",
            Self::SpaceAroundSecret => {
                "the secret starts or ends with whitespace, such as a line feed"
            }
            Self::NoSecret => "there is no secret",
            Self::TooManySecrets => "there are more than 4 secrets",
            Self::MalformedApiOrigin => {
                "the API origin is not https://host or https://host:port in canonical form \
                 (lower case, no default port, no path)"
            }
            Self::InsecureApiOrigin => {
                "the API origin is not https, so the API key would be sent in plain text"
            }
            Self::RetentionTooShort => "the retention is shorter than the window of the tolerance",
        };
        f.write_str(message)
    }
}

/// Shows the message, because a `main` that returns this error prints its `Debug` output.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigError({self})")
    }
}

impl core::error::Error for ConfigError {}

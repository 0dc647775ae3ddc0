use core::fmt;

use redis::{ErrorKind, RedisError};

/// Why a [`RedisStore`](crate::RedisStore) cannot be made, or an operation on it failed.
///
/// What it displays is for the operator's log. It holds nothing of a delivery, and no password.
#[derive(Clone)]
pub struct RedisStoreError {
    kind: RedisStoreErrorKind,
    code: Option<Box<str>>,
}

/// The kinds of [`RedisStoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedisStoreErrorKind {
    /// The URL is none of Redis's, or needs a feature that is off (`rediss://` needs `tls`).
    InvalidUrl,
    /// The store was made outside of a tokio runtime.
    NoRuntime,
    /// Redis cannot be reached, or the connection broke off.
    Unreachable,
    /// Redis did not answer in time.
    TimedOut,
    /// Redis does not know these credentials.
    Unauthorized,
    /// Redis answered with an error, as when it is read-only or out of memory.
    Rejected,
    /// Redis answered what the store does not understand.
    Unexpected,
}

impl RedisStoreError {
    pub(crate) const fn new(kind: RedisStoreErrorKind) -> Self {
        Self { kind, code: None }
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> RedisStoreErrorKind {
        self.kind
    }

    /// The code of Redis's own error, such as `READONLY` or `OOM`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
}

impl From<RedisError> for RedisStoreError {
    fn from(error: RedisError) -> Self {
        let kind = match error.kind() {
            _ if error.is_timeout() => RedisStoreErrorKind::TimedOut,
            ErrorKind::Io => RedisStoreErrorKind::Unreachable,
            ErrorKind::AuthenticationFailed => RedisStoreErrorKind::Unauthorized,
            ErrorKind::InvalidClientConfig => RedisStoreErrorKind::InvalidUrl,
            ErrorKind::Server(_) | ErrorKind::Extension => RedisStoreErrorKind::Rejected,
            _ if error.is_io_error() || error.is_connection_dropped() => {
                RedisStoreErrorKind::Unreachable
            }
            _ => RedisStoreErrorKind::Unexpected,
        };
        let code = match error.code() {
            // Its own code comes for servers that want a password, which is told apart.
            Some("NOAUTH" | "WRONGPASS") => return Self::new(RedisStoreErrorKind::Unauthorized),
            code => code.map(Into::into),
        };
        Self { kind, code }
    }
}

impl fmt::Display for RedisStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RedisStoreErrorKind::InvalidUrl => "the URL is none that the Redis store can use",
            RedisStoreErrorKind::NoRuntime => "the Redis store needs a tokio runtime",
            RedisStoreErrorKind::Unreachable => "Redis cannot be reached",
            RedisStoreErrorKind::TimedOut => "Redis does not answer in time",
            RedisStoreErrorKind::Unauthorized => "Redis does not know these credentials",
            RedisStoreErrorKind::Rejected => "Redis rejects",
            RedisStoreErrorKind::Unexpected => "Redis answers what is not understood",
        })?;
        match &self.code {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for RedisStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStoreError({self})")
    }
}

impl core::error::Error for RedisStoreError {}

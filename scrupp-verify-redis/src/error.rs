use core::{error::Error, fmt};
use std::{borrow::Cow, io, sync::Arc};

use redis::{ErrorKind, RedisError};

/// The error of a [`RedisStore`](crate::RedisStore), or of an attempt to create one.
///
/// The message names the cause, for the operator's log. The message contains no data of a delivery, no
/// password and no URL.
///
/// # Examples
///
/// ```
/// use scrupp_verify_redis::{RedisStore, RedisStoreErrorKind};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = RedisStore::new("http://127.0.0.1").unwrap_err();
/// assert_eq!(error.kind(), RedisStoreErrorKind::InvalidUrl);
/// assert_eq!(error.code(), None);
/// assert_eq!(
///     error.to_string(),
///     "invalid Redis URL: the scheme must be redis:// or rediss://"
/// );
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStoreError {
    kind: RedisStoreErrorKind,
    code: Option<Box<str>>,
    cause: Option<Cow<'static, str>>,
    /// The node that `MOVED` or `ASK` names.
    #[cfg(feature = "cluster")]
    redirect: Option<Box<str>>,
}

/// The kind of a [`RedisStoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedisStoreErrorKind {
    /// The URL is not valid, or needs a feature that is not enabled (`rediss://` needs `tls`). The
    /// message describes the necessary change.
    InvalidUrl,
    /// The store was created outside of a Tokio runtime, its runtime has shut down, or the runtime has no
    /// I/O or no timer.
    NoRuntime,
    /// Redis cannot be reached, or the connection was closed.
    Unreachable,
    /// Redis did not respond within 1 s.
    TimedOut,
    /// Redis rejected the credentials in the URL, or requires credentials.
    Unauthorized,
    /// Redis responded with an error. Examples are a read-only server, exhausted memory and a missing
    /// permission.
    Rejected,
    /// The server is a node of a Redis Cluster. Use `RedisStore::cluster`.
    ClusterNode,
    /// The sentinels name no primary, or no node of the cluster has the slot of the key.
    NoPrimary,
    /// Redis sent an unexpected response.
    Unexpected,
}

impl RedisStoreError {
    pub(crate) const fn new(kind: RedisStoreErrorKind) -> Self {
        Self {
            kind,
            code: None,
            cause: None,
            #[cfg(feature = "cluster")]
            redirect: None,
        }
    }

    fn because(kind: RedisStoreErrorKind, cause: &'static str) -> Self {
        Self {
            cause: Some(Cow::Borrowed(cause)),
            ..Self::new(kind)
        }
    }

    pub(crate) fn invalid_url(reason: &'static str) -> Self {
        Self::because(RedisStoreErrorKind::InvalidUrl, reason)
    }

    pub(crate) fn runtime_ended() -> Self {
        Self::because(
            RedisStoreErrorKind::NoRuntime,
            "the runtime has shut down, or has no I/O or no timer",
        )
    }

    #[cfg(any(feature = "cluster", feature = "sentinel"))]
    pub(crate) fn no_primary(reason: &'static str) -> Self {
        Self::because(RedisStoreErrorKind::NoPrimary, reason)
    }

    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(&self) -> RedisStoreErrorKind {
        self.kind
    }

    /// Returns the code of the error that Redis responded with, such as `READONLY` or `OOM`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn redirect(&self) -> Option<&str> {
        self.redirect.as_deref()
    }

    /// Returns true if a node of the cluster may be able to execute the command soon.
    #[cfg(feature = "cluster")]
    pub(crate) fn is_passing(&self) -> bool {
        use RedisStoreErrorKind::{ClusterNode, NoPrimary, TimedOut, Unreachable};
        matches!(self.kind, ClusterNode | NoPrimary | TimedOut | Unreachable)
            || self.code() == Some("READONLY")
    }

    /// Replaces the kind `ClusterNode` with `Rejected`, because the store is already one for a cluster.
    #[cfg(feature = "cluster")]
    pub(crate) fn of_cluster(mut self) -> Self {
        if self.kind == RedisStoreErrorKind::ClusterNode {
            self.kind = RedisStoreErrorKind::Rejected;
        }
        self
    }
}

impl From<RedisError> for RedisStoreError {
    fn from(error: RedisError) -> Self {
        let kind = match (error.kind(), error.code()) {
            (_, Some("NOAUTH" | "WRONGPASS")) | (ErrorKind::AuthenticationFailed, _) => {
                return Self::new(RedisStoreErrorKind::Unauthorized);
            }
            (_, Some("MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" | "TRYAGAIN")) => {
                RedisStoreErrorKind::ClusterNode
            }
            (_, Some(_)) => RedisStoreErrorKind::Rejected,
            _ if error.is_timeout() => RedisStoreErrorKind::TimedOut,
            (ErrorKind::Io, _) => RedisStoreErrorKind::Unreachable,
            _ => RedisStoreErrorKind::Unexpected,
        };
        let cause = match kind {
            RedisStoreErrorKind::Unreachable => Some(io_cause(&error)),
            RedisStoreErrorKind::Rejected => error.detail().and_then(rejection_cause),
            _ => None,
        };
        Self {
            kind,
            code: error.code().map(Into::into),
            cause,
            #[cfg(feature = "cluster")]
            redirect: error.redirect_node().map(|(address, _)| address.into()),
        }
    }
}

/// Returns the message of a network, name resolution or TLS error.
fn io_cause(error: &RedisError) -> Cow<'static, str> {
    let source = error.source();
    let source = source.and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    match source.and_then(|source| source.downcast_ref::<io::Error>()) {
        // The client creates this error itself, so there is no text of the operating system.
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => "connection closed".into(),
        _ => error.to_string().into(),
    }
}

/// Returns the cause of an error that Redis responded with. Uses only the name of a command from Redis's
/// text, because the text may contain a key.
fn rejection_cause(detail: &str) -> Option<Cow<'static, str>> {
    for (text, cause) in [
        ("max number of clients", "max number of clients reached"),
        ("DB index is out of range", "the database does not exist"),
        (
            "cluster support disabled",
            "the server is not a node of a Redis Cluster",
        ),
        ("unknown command 'SENTINEL'", "the server is not a sentinel"),
        (
            "permissions to access",
            "the user has no permission for the keys",
        ),
        (
            "can't access at least one of the keys",
            "the user has no permission for the keys",
        ),
        (
            "can't run this command",
            "the user has no permission for a command of the script, which needs get, set and del",
        ),
        (
            "command called from",
            "the server does not have a command of the script, which needs get, set and del",
        ),
    ] {
        if detail.contains(text) {
            return Some(cause.into());
        }
    }
    let (cause, text) = match detail.split_once("permissions to run the ") {
        Some((_, text)) => ("the user has no permission for the command", text),
        None => {
            let (_, text) = detail.split_once("unknown command ")?;
            ("the server does not have the command", text)
        }
    };
    // Before version 7, Redis uses backquotes.
    let quotes = ['\'', '`'];
    let (command, _) = text.strip_prefix(quotes)?.split_once(quotes)?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'|' | b'-' | b'_');
    (command.len() <= 32 && command.bytes().all(is_name))
        .then(|| format!("{cause} {command}").into())
}

impl fmt::Display for RedisStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RedisStoreErrorKind::InvalidUrl => "invalid Redis URL",
            RedisStoreErrorKind::NoRuntime => "the Redis store needs a Tokio runtime",
            RedisStoreErrorKind::Unreachable => "Redis cannot be reached",
            RedisStoreErrorKind::TimedOut => "Redis did not respond in time",
            RedisStoreErrorKind::Unauthorized => "Redis rejected the credentials",
            RedisStoreErrorKind::Rejected => "Redis rejected the command",
            RedisStoreErrorKind::ClusterNode => {
                "the server is a node of a Redis Cluster, which needs RedisStore::cluster"
            }
            RedisStoreErrorKind::NoPrimary => "no primary is known",
            RedisStoreErrorKind::Unexpected => "unexpected response from Redis",
        })?;
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for RedisStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStoreError({self})")
    }
}

impl Error for RedisStoreError {}

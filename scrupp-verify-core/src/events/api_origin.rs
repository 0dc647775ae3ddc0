use alloc::{borrow::ToOwned, format, string::String};
use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use super::ApiUrl;
use crate::ConfigError;

/// Where the Task API is, and so where the API key may be sent: by default
/// `https://api.scrupp.com`.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{ConfigError, events::ApiOrigin};
///
/// # fn main() -> Result<(), ConfigError> {
/// let origin = ApiOrigin::default();
/// assert_eq!(origin.as_str(), "https://api.scrupp.com");
/// assert_eq!(origin.result_url(6666).as_str(), "https://api.scrupp.com/task/6666/data");
/// assert_eq!(origin.status_url(6666).as_str(), "https://api.scrupp.com/task/6666/status");
///
/// let stand_in = ApiOrigin::new("http://127.0.0.1:8080")?;
/// assert_eq!(stand_in.result_url(6666).as_str(), "http://127.0.0.1:8080/task/6666/data");
///
/// assert_eq!(
///     ApiOrigin::new("http://api.scrupp.com").unwrap_err(),
///     ConfigError::InsecureApiOrigin,
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiOrigin {
    text: String,
}

impl ApiOrigin {
    /// Pins another origin, for a proxy of one's own or a stand-in in tests.
    ///
    /// 1. It is `scheme://host` or `scheme://host:port` as browsers write an origin: in lower
    ///    case, without the scheme's default port, nothing after it.
    /// 2. The host is a name in ASCII, an IPv4 address, or an IPv6 address in brackets, the
    ///    addresses in their canonical form (RFC 5952).
    /// 3. The scheme is `https`; `http` only where the host is `localhost` or a loopback address.
    ///
    /// # Errors
    ///
    /// [`ConfigError::MalformedApiOrigin`] for anything else than (1) and (2),
    /// [`ConfigError::InsecureApiOrigin`] against (3).
    pub fn new(origin: &str) -> Result<Self, ConfigError> {
        let parts = Parts::of(origin).ok_or(ConfigError::MalformedApiOrigin)?;
        let default_port = match parts.scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(ConfigError::MalformedApiOrigin),
        };
        let host = Host::parse(parts.host).ok_or(ConfigError::MalformedApiOrigin)?;
        if parts.port.is_some_and(|port| !is_port(port, default_port)) || !parts.rest.is_empty() {
            return Err(ConfigError::MalformedApiOrigin);
        }
        if parts.scheme == "http" && !host.is_loopback() {
            return Err(ConfigError::InsecureApiOrigin);
        }
        Ok(Self {
            text: origin.to_owned(),
        })
    }

    /// The origin as text, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the result of a task is: `GET /task/{process_id}/data`.
    #[must_use]
    pub fn result_url(&self, process_id: u64) -> ApiUrl {
        ApiUrl(format!("{self}/task/{process_id}/data"))
    }

    /// Where the status of a task is: `GET /task/{process_id}/status`, for those who poll.
    #[must_use]
    pub fn status_url(&self, process_id: u64) -> ApiUrl {
        ApiUrl(format!("{self}/task/{process_id}/status"))
    }
}

impl Default for ApiOrigin {
    fn default() -> Self {
        Self {
            text: "https://api.scrupp.com".to_owned(),
        }
    }
}

impl fmt::Display for ApiOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a URL consists of, told apart but not checked.
pub(super) struct Parts<'a> {
    pub(super) scheme: &'a str,
    /// With the user name and password, if any.
    pub(super) host: &'a str,
    pub(super) port: Option<&'a str>,
    pub(super) rest: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn of(url: &'a str) -> Option<Self> {
        let (scheme, tail) = url.split_once("://")?;
        let (authority, rest) = tail.split_at(tail.find(['/', '?', '#']).unwrap_or(tail.len()));
        // A colon inside brackets belongs to an IPv6 address.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        Some(Self {
            scheme,
            host,
            port,
            rest,
        })
    }
}

enum Host<'a> {
    Name(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            // An IPv4-mapped address has two canonical forms, one per standard.
            let is_canonical = format!("[{address}]") == text && address.to_ipv4_mapped().is_none();
            return is_canonical.then_some(Self::V6(address));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::V4(address));
        }
        let is_name = text.len() <= 253 && text.split('.').all(is_label);
        // What ends in a number is read as an IPv4 address by HTTP clients: `127.1`, `0x7f000001`.
        let last = text.rsplit('.').next()?;
        (is_name && last.starts_with(|first: char| first.is_ascii_lowercase()))
            .then_some(Self::Name(text))
    }

    fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => *name == "localhost",
            Self::V4(address) => address.is_loopback(),
            Self::V6(address) => address.is_loopback(),
        }
    }
}

fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(is_allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_port(text: &str, default: u16) -> bool {
    !text.starts_with(['0', '+']) && text.parse().is_ok_and(|port: u16| port != default)
}

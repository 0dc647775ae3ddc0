use alloc::{borrow::ToOwned, format, string::String};
use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use crate::ConfigError;

/// The origin of the Task API, and the only origin that the API key is sent to.
///
/// The default is `https://api.scrupp.com`.
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
/// let local = ApiOrigin::new("http://127.0.0.1:8080")?;
/// assert_eq!(local.result_url(6666).as_str(), "http://127.0.0.1:8080/task/6666/data");
///
/// let insecure = ApiOrigin::new("http://api.scrupp.com");
/// assert_eq!(insecure.unwrap_err(), ConfigError::InsecureApiOrigin);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiOrigin(String);

impl ApiOrigin {
    /// Creates an origin other than the default, for a proxy or a test server.
    ///
    /// The origin must follow these rules:
    ///
    /// 1. The origin has the form `scheme://host` or `scheme://host:port`, as browsers serialize
    ///    it: in lower case, without the default port, and without a trailing slash or path.
    /// 2. The host is an ASCII name, an IPv4 address, or an IPv6 address in brackets. Addresses are
    ///    in canonical form (RFC 5952).
    /// 3. The scheme is `https`. For `localhost` and loopback addresses, `http` is accepted too.
    ///
    /// # Errors
    ///
    /// - [`ConfigError::MalformedApiOrigin`] if rule 1 or 2 is violated.
    /// - [`ConfigError::InsecureApiOrigin`] if rule 3 is violated.
    pub fn new(origin: &str) -> Result<Self, ConfigError> {
        match is_secure(origin) {
            Some(true) => Ok(Self(origin.to_owned())),
            Some(false) => Err(ConfigError::InsecureApiOrigin),
            None => Err(ConfigError::MalformedApiOrigin),
        }
    }

    /// Returns the origin as a string without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the URL of the result of a task: `GET /task/{process_id}/data`.
    #[must_use]
    pub fn result_url(&self, process_id: u64) -> ApiUrl {
        ApiUrl(format!("{self}/task/{process_id}/data"))
    }

    /// Returns the URL of the status of a task: `GET /task/{process_id}/status`.
    ///
    /// Clients that receive no webhooks poll this URL.
    #[must_use]
    pub fn status_url(&self, process_id: u64) -> ApiUrl {
        ApiUrl(format!("{self}/task/{process_id}/status"))
    }

    /// Accepts a `result_url` if it is byte for byte equal to one of the documented URLs.
    pub(super) fn check_result_url(
        &self,
        url: &str,
        process_id: u64,
    ) -> Result<ApiUrl, ResultUrlError> {
        let documented = [
            format!("{self}/api/v1/task/{process_id}/data"),
            format!("{self}/task/{process_id}/data"),
        ];
        let found = documented.into_iter().find(|documented| documented == url);
        found.map(ApiUrl).ok_or(ResultUrlError(()))
    }
}

impl Default for ApiOrigin {
    fn default() -> Self {
        Self("https://api.scrupp.com".to_owned())
    }
}

impl fmt::Display for ApiOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A URL of the Task API that the API key may be sent to.
///
/// Only [`ApiOrigin::result_url`], [`ApiOrigin::status_url`] and
/// [`TaskCompleted::result_url`](super::TaskCompleted::result_url) create an `ApiUrl`. The origin
/// is the configured [`ApiOrigin`], and the URL has no userinfo, query or fragment.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::{ApiOrigin, ApiUrl};
///
/// let url: ApiUrl = ApiOrigin::default().result_url(6666);
/// assert_eq!(url.as_str(), "https://api.scrupp.com/task/6666/data");
/// assert_eq!(String::from(url), "https://api.scrupp.com/task/6666/data");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiUrl(String);

impl ApiUrl {
    /// Returns the URL as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ApiUrl {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<ApiUrl> for String {
    fn from(url: ApiUrl) -> Self {
        url.0
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The error for an event without an accepted result URL.
///
/// Either the `result_url` is not one of the documented URLs of the task at the configured
/// [`ApiOrigin`], or the event is not about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultUrlError(pub(super) ());

impl fmt::Display for ResultUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event has no accepted result URL")
    }
}

impl core::error::Error for ResultUrlError {}

/// Returns whether the connection to an origin is encrypted or local. Returns `None` if the origin
/// is not in canonical form.
fn is_secure(origin: &str) -> Option<bool> {
    let (scheme, authority) = origin.split_once("://")?;
    let default_port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    // A colon in brackets is a part of an IPv6 address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_loopback = is_loopback(host)?;
    port.is_none_or(|port| is_port(port, default_port))
        .then_some(scheme == "https" || is_loopback)
}

/// Returns whether a host is `localhost` or a loopback address. Returns `None` if the host is not
/// in canonical form.
fn is_loopback(host: &str) -> Option<bool> {
    if let Some(inner) = host.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        // Rejects IPv4-mapped addresses, because browsers and RFC 5952 write them differently.
        let is_canonical = format!("[{address}]") == host && address.to_ipv4_mapped().is_none();
        return is_canonical.then_some(address.is_loopback());
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(address.is_loopback());
    }
    let is_name = host.len() <= 253 && host.split('.').all(is_label);
    // HTTP clients parse a host whose last label is a number as an IPv4 address, such as `127.1` or
    // `0x7f000001`.
    let last = host.rsplit('.').next()?;
    (is_name && last.starts_with(|first: char| first.is_ascii_lowercase()))
        .then_some(host == "localhost")
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

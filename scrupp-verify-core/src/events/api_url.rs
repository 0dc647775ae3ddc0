use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use super::{ApiOrigin, api_origin::Parts};

/// A URL of the Task API, at the pinned origin: one that the API key may be sent to.
///
/// Comes from [`ApiOrigin::result_url`], [`ApiOrigin::status_url`] and
/// [`TaskCompleted::result_url`](super::TaskCompleted::result_url) only. It has no userinfo, query
/// or fragment.
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
pub struct ApiUrl(pub(super) String);

/// Why the `result_url` of a payload is not fetched: the first thing that is wrong with it.
///
/// Which part it is serves the operator's logs. That it is refused does not depend on it: what is
/// not one of the documented forms is refused, for whatever reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResultUrlError {
    /// The event is not about a task.
    NoTask,
    /// Not an absolute URL in visible ASCII: white space, control characters, `\`, Unicode.
    Malformed,
    /// Not the scheme of the pinned origin.
    Scheme,
    /// There is a user name or a password.
    UserInfo,
    /// Not the host of the pinned origin.
    Host,
    /// Not the port of the pinned origin, or one is given that goes without saying.
    Port,
    /// There is a fragment.
    Fragment,
    /// There is a query.
    Query,
    /// Not one of the documented paths, byte for byte.
    Path,
    /// A documented path, of another task.
    OtherTask,
}

impl ApiUrl {
    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn from_payload(
        url: &str,
        origin: &ApiOrigin,
        process_id: u64,
    ) -> Result<Self, ResultUrlError> {
        let documented = [
            format!("{origin}/api/v1/task/{process_id}/data"),
            format!("{origin}/task/{process_id}/data"),
        ];
        let found = documented.into_iter().find(|documented| documented == url);
        found.map(Self).ok_or_else(|| reason(url, origin))
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

impl fmt::Display for ResultUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTask => "the event is not about a task",
            Self::Malformed => "the result URL is malformed",
            Self::Scheme => "the result URL has another scheme than the API",
            Self::UserInfo => "the result URL has a user name or a password",
            Self::Host => "the result URL has another host than the API",
            Self::Port => "the result URL has another port than the API",
            Self::Fragment => "the result URL has a fragment",
            Self::Query => "the result URL has a query",
            Self::Path => "the result URL has a path that is not documented",
            Self::OtherTask => "the result URL is that of another task",
        })
    }
}

impl core::error::Error for ResultUrlError {}

/// What is wrong with a URL that has been refused.
fn reason(url: &str, origin: &ApiOrigin) -> ResultUrlError {
    let is_ordinary = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let (Some(found), Some(pinned)) = (Parts::of(url), Parts::of(origin.as_str())) else {
        return ResultUrlError::Malformed;
    };
    if !url.bytes().all(is_ordinary) {
        ResultUrlError::Malformed
    } else if found.scheme != pinned.scheme {
        ResultUrlError::Scheme
    } else if found.host.contains('@') || found.port.is_some_and(|port| port.contains('@')) {
        ResultUrlError::UserInfo
    } else if found.host != pinned.host {
        ResultUrlError::Host
    } else if found.port != pinned.port {
        ResultUrlError::Port
    } else if found.rest.contains('#') {
        ResultUrlError::Fragment
    } else if found.rest.contains('?') {
        ResultUrlError::Query
    } else if is_documented_path(found.rest) {
        ResultUrlError::OtherTask
    } else {
        ResultUrlError::Path
    }
}

fn is_documented_path(path: &str) -> bool {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    path.strip_prefix("/task/")
        .and_then(|rest| rest.strip_suffix("/data"))
        .is_some_and(|id| id.parse().is_ok_and(|number: u64| number.to_string() == id))
}

use core::{error::Error, fmt, time::Duration};

use crate::errors::with_causes;

/// An error of a request to the Task API. Never contains the URL, because the URL may contain the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FetchError {
    /// The connection failed. Contains the cause.
    NoConnection(String),
    Timeout,
    /// The response is incomplete. Contains the cause.
    Broken(String),
    Status {
        status: u16,
        /// The `Retry-After` of the response.
        retry_after: Option<Duration>,
    },
    TooLarge,
    Unexpected,
}

impl FetchError {
    /// Returns true if a retry would fail too: after a redirect, after 501 and 505, and after a 4xx status
    /// other than 408, 425 and 429.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                matches!(status, 300..=499 | 501 | 505) && ![408, 425, 429].contains(status)
            }
            _ => false,
        }
    }

    /// Returns the `Retry-After` of the response.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let cause = || error.source().map(with_causes).unwrap_or_default();
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_connect() {
            Self::NoConnection(cause())
        } else {
            Self::Broken(cause())
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnection(cause) => write!(f, "no connection to the API: {cause}"),
            Self::Timeout => f.write_str("the API did not respond in time"),
            Self::Broken(cause) => write!(f, "the response of the API is incomplete: {cause}"),
            Self::Status { status, .. } => write!(f, "the API responded with status {status}"),
            Self::TooLarge => f.write_str("the response of the API is too large"),
            Self::Unexpected => f.write_str("the response of the API is not as documented"),
        }
    }
}

use core::fmt;

/// Why the Task API gave no answer to work with. Holds nothing of the request, since its URL may
/// have the key in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchError {
    NoConnection,
    Timeout,
    Broken,
    Status(u16),
    TooLarge,
    Unreadable,
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_connect() {
            Self::NoConnection
        } else {
            Self::Broken
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnection => f.write_str("no connection to the API"),
            Self::Timeout => f.write_str("no answer of the API in time"),
            Self::Broken => f.write_str("the answer of the API broke off"),
            Self::Status(status) => write!(f, "the API answered {status}"),
            Self::TooLarge => f.write_str("the answer of the API is too large"),
            Self::Unreadable => f.write_str("the answer of the API is not what is documented"),
        }
    }
}

use std::io;

use crate::Response;

/// Expected response to a delivery, and whether the handler runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// The handler runs once, on these bytes, and the response is a 2xx.
    Handled(Vec<u8>),
    /// The handler does not run, and the response has this status.
    Rejected(u16),
    /// The handler does not run, and the response has this status, or 400, or there is none: a server
    /// may close a connection on which it cannot find the end of the request.
    RejectedOrClosed(u16),
    /// Servers differ. If the handler runs, it does so once, on these bytes, and the response is a 2xx.
    HandledOrNot(Vec<u8>),
}

impl Expected {
    /// Returns whether a response is as expected of any receiver.
    ///
    /// A delivery that is not genuine may get any status but a 2xx. A body that is too large needs 413:
    /// with another one, the receiver may have read all of it.
    #[must_use]
    pub fn includes(&self, response: &io::Result<Response>) -> bool {
        let status = match response {
            Ok(response) => response.status,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return false,
            Err(_) => return !matches!(self, Self::Handled(_)),
        };
        let is_success = (200..=299).contains(&status);
        match self {
            Self::Handled(_) => is_success,
            Self::HandledOrNot(_) => true,
            Self::Rejected(413) | Self::RejectedOrClosed(413) => {
                matches!(status, 400 | 408 | 411 | 413)
            }
            Self::Rejected(_) | Self::RejectedOrClosed(_) => !is_success,
        }
    }
}

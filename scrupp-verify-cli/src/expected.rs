use std::io;

use crate::Response;

/// Expected outcome of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// The handler runs once with these bytes, and the response is a 2xx.
    Handled(Vec<u8>),
    /// The handler does not run, and the response has this status.
    Rejected(u16),
    /// The handler does not run. The response has this status or 400, or the server closes the connection
    /// because it cannot find the end of the request.
    RejectedOrClosed(u16),
    /// The handler may or may not run, because servers differ. If the handler runs, it runs once with these bytes,
    /// and the response is a 2xx.
    HandledOrNot(Vec<u8>),
}

impl Expected {
    /// Returns true if a third-party receiver may respond like this.
    ///
    /// A delivery that is not genuine may get any status except a 2xx. A body that exceeds the limit must get
    /// 400, 408, 411 or 413, because another status may mean that the receiver read the whole body.
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

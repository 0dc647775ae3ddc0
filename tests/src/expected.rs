use std::io;

use crate::Response;

/// What has to come of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// The handler runs, once, on these bytes, and the client reads 200.
    Handled(Vec<u8>),
    /// The handler does not run, and the client reads this status.
    Rejected(u16),
    /// The handler does not run, and the client reads this status, if any: the server itself may
    /// close a connection on which it cannot find the end of the request.
    RejectedOrClosed(u16),
    /// Servers differ on what this is. If the handler runs, it does so once and on these bytes, and
    /// the client reads 200; otherwise it reads another status, if any.
    HandledOrNot(Vec<u8>),
}

impl Expected {
    /// Says what is not as it has to be of an answer, and of what the handler ran on.
    ///
    /// # Errors
    ///
    /// A text for the one who reads the failing test.
    pub fn check(
        &self,
        response: io::Result<Response>,
        handled: &[Option<Vec<u8>>],
    ) -> Result<(), String> {
        let status = response.as_ref().map(|response| response.status);
        match self {
            Self::Handled(body) => match (status, handled) {
                (Ok(200), [None]) => Ok(()),
                (Ok(200), [Some(seen)]) if seen == body => Ok(()),
                (Ok(200), [Some(seen)]) => Err(format!("the handler saw {} bytes", seen.len())),
                (Ok(200), runs) => Err(format!("the handler ran {} times", runs.len())),
                (other, _) => Err(format!("expected 200, got {other:?}")),
            },
            Self::HandledOrNot(body) => match (status, handled) {
                (Ok(200), [None]) => Ok(()),
                (Ok(200), [Some(seen)]) if seen == body => Ok(()),
                (Ok(200), runs) => Err(format!("answered 200, ran on {runs:?}")),
                (_, []) => Ok(()),
                (other, _) => Err(format!("the handler ran, and the answer was {other:?}")),
            },
            _ if !handled.is_empty() => Err("the handler ran".into()),
            Self::Rejected(expected) if !matches!(status, Ok(status) if status == *expected) => {
                Err(format!("expected {expected}, got {status:?}"))
            }
            Self::Rejected(expected) => check_rejection(response.ok(), *expected),
            // Its server answers malformed framing itself, before the layer.
            Self::RejectedOrClosed(expected) => match status {
                Err(_) | Ok(400) => Ok(()),
                Ok(status) if status == *expected => Ok(()),
                other => Err(format!("expected {expected}, got {other:?}")),
            },
        }
    }
}

/// A rejection of ours says its status, and nothing else.
fn check_rejection(response: Option<Response>, expected: u16) -> Result<(), String> {
    let Some(response) = response.filter(|response| response.status == expected) else {
        return Ok(());
    };
    let has = |name| response.headers.iter().any(|(known, _)| known == name);
    if (expected == 401) != has("www-authenticate") {
        return Err("the challenge is not where it belongs".into());
    }
    let problem = String::from_utf8_lossy(&response.body);
    if !problem.contains(&format!("\"status\":{expected}}}")) || problem.len() > 60 {
        return Err(format!("the body of the rejection is {problem:?}"));
    }
    Ok(())
}

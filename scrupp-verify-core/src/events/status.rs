use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use serde_core::{Deserialize, Deserializer, Serialize, Serializer};

/// How a task stands, in a webhook or in the answer of `GET /task/{process_id}/status`.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::Status;
///
/// assert_eq!(Status::from("failed"), Status::Failed);
///
/// let unheard_of = Status::from("paused");
/// assert_eq!(unheard_of, Status::Other("paused".into()));
/// assert_eq!(unheard_of.as_str(), "paused");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// `queued`: not begun.
    Queued,
    /// `running`: begun, not ended.
    Running,
    /// `completed`: ended, and there is a result.
    Completed,
    /// `failed`: ended, and there is no result.
    Failed,
    /// None of these words: the text as it came.
    Other(String),
}

impl Status {
    /// The word that Scrupp uses.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for Status {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Status {
    fn from(text: String) -> Self {
        match text.as_str() {
            "queued" => Self::Queued,
            "running" => Self::Running,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            _ => Self::Other(text),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use serde_core::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    ApiOrigin, ApiUrl, EventError, Fields, ResultUrlError,
    fields::{ObjectWriter, text},
};

/// The event `task.completed`: a task has ended.
///
/// A failure is sent as this event too. Only the [`status`](Self::status) tells.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::{ApiOrigin, Event, Status};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = br#"{"event":"task.completed","process_id":6666,"status":"failed",
///     "error":"Message (optional)","meta":[]}"#;
/// let Event::TaskCompleted(task) = Event::from_json(body)? else { unreachable!() };
/// assert_eq!(task.process_id, 6666);
/// assert_eq!(task.status, Status::Failed);
/// assert_eq!(task.error.as_deref(), Some("Message (optional)"));
/// assert_eq!(task.meta, None); // not an object
/// assert_eq!(task.other.get("meta"), Some("[]"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskCompleted {
    /// The number of the task.
    pub process_id: u64,
    /// How the task ended.
    pub status: Status,
    result_url: Option<String>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// What the call that started the task said about itself.
    pub meta: Option<Meta>,
    /// All other fields, and each of the optional fields above that is `null`, of another type, or
    /// repeated.
    pub other: Fields,
}

impl TaskCompleted {
    pub(super) const NAME: &'static str = "task.completed";

    pub(super) fn from_fields(mut fields: Fields) -> Result<Self, EventError> {
        let integer = "expected an unsigned 64-bit integer";
        Ok(Self {
            process_id: fields.required("process_id", process_id, integer)?,
            status: fields
                .required("status", text, "expected a Unicode string")?
                .into(),
            result_url: fields.optional("result_url", text),
            error: fields.optional("error", text),
            meta: fields.optional("meta", Meta::from_json),
            other: fields,
        })
    }

    /// Returns the URL to fetch the result from.
    ///
    /// This is the `result_url` of the payload if there is one, otherwise
    /// [`ApiOrigin::result_url`] for this task, as Scrupp's documentation advises. A `result_url`
    /// that is not a string, or is repeated, counts as none.
    ///
    /// The payload's is accepted only if it is, byte for byte, one of the two documented forms for
    /// this task at this origin:
    ///
    /// ```text
    /// https://api.scrupp.com/api/v1/task/6666/data
    /// https://api.scrupp.com/task/6666/data
    /// ```
    ///
    /// Nothing is decoded, resolved or normalised, so this crate and an HTTP client cannot differ.
    /// Other spellings of the same URL (`HTTPS:`, `:443`, `%2f`, a trailing slash) are rejected
    /// too; Scrupp does not send them.
    ///
    /// The status is not checked: a task that failed has a URL, but no result.
    ///
    /// # Errors
    ///
    /// Returns a [`ResultUrlError`] if the payload has a `result_url` of any other form. To go on
    /// without it, use [`ApiOrigin::result_url`].
    ///
    /// # Security
    ///
    /// The request carries the API key. Send the key in `Authorization: Bearer`, not in the query.
    /// Do not follow redirects, because they may lead anywhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::events::{ApiOrigin, Event};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let origin = ApiOrigin::default();
    ///
    /// let without = Event::from_json(
    ///     br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#,
    /// )?;
    /// assert_eq!(without.result_url(&origin)?.as_str(), "https://api.scrupp.com/task/6666/data");
    ///
    /// let elsewhere = Event::from_json(
    ///     br#"{"event":"task.completed","process_id":6666,"status":"completed",
    ///         "result_url":"https://api.scrupp.com.example.net/task/6666/data"}"#,
    /// )?;
    /// assert!(elsewhere.result_url(&origin).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn result_url(&self, origin: &ApiOrigin) -> Result<ApiUrl, ResultUrlError> {
        match &self.result_url {
            Some(url) => origin.check_result_url(url, self.process_id),
            None => Ok(origin.result_url(self.process_id)),
        }
    }

    /// Returns the `result_url` of the payload, which must not be fetched: see
    /// [`result_url`](Self::result_url).
    #[must_use]
    pub fn unchecked_result_url(&self) -> Option<&str> {
        self.result_url.as_deref()
    }
}

impl Serialize for TaskCompleted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = ObjectWriter::new(serializer)?;
        object.field("event", Some(&Self::NAME))?;
        object.field("process_id", Some(&self.process_id))?;
        object.field("status", Some(&self.status))?;
        object.field("result_url", self.result_url.as_ref())?;
        object.field("error", self.error.as_ref())?;
        object.field("meta", self.meta.as_ref())?;
        object.end(&self.other)
    }
}

/// The `meta` of an event: what the call that started a task said about itself.
///
/// The keys vary by integration.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::Event;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = br#"{"event":"task.completed","process_id":6666,"status":"completed",
///     "meta":{"endpoint":"/company/linkedin","external_id":9481,"sheet":{"row":9481}}}"#;
/// let Event::TaskCompleted(task) = Event::from_json(body)? else { unreachable!() };
/// let meta = task.meta.unwrap();
///
/// assert_eq!(meta.endpoint.as_deref(), Some("/company/linkedin"));
/// assert_eq!(meta.source, None);
/// assert_eq!(meta.external_id, None); // not a string
/// assert_eq!(meta.other.get("external_id"), Some("9481"));
/// assert_eq!(meta.other.get("sheet"), Some(r#"{"row":9481}"#));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// The endpoint that was called, such as `/company/linkedin`.
    pub endpoint: Option<String>,
    /// The caller's own id, such as `row_9481`.
    pub external_id: Option<String>,
    /// The integration that called, such as `zapier`.
    pub source: Option<String>,
    /// All other fields, and each of the fields above that is `null`, of another type, or repeated.
    pub other: Fields,
}

impl Meta {
    fn from_json(json: &str) -> Option<Self> {
        let mut fields = Fields::from_json(json.as_bytes())?;
        Some(Self {
            endpoint: fields.optional("endpoint", text),
            external_id: fields.optional("external_id", text),
            source: fields.optional("source", text),
            other: fields,
        })
    }
}

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = ObjectWriter::new(serializer)?;
        object.field("endpoint", self.endpoint.as_ref())?;
        object.field("external_id", self.external_id.as_ref())?;
        object.field("source", self.source.as_ref())?;
        object.end(&self.other)
    }
}

/// The status of a task, in a webhook or in the response of `GET /task/{process_id}/status`.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::Status;
///
/// assert_eq!(Status::from("failed"), Status::Failed);
///
/// let unknown = Status::from("paused");
/// assert_eq!(unknown, Status::Other("paused".into()));
/// assert_eq!(unknown.as_str(), "paused");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// `queued`: not begun.
    Queued,
    /// `running`: begun, not ended.
    Running,
    /// `completed`: ended, with a result.
    Completed,
    /// `failed`: ended, without a result.
    Failed,
    /// Any other text, unchanged.
    Other(String),
}

impl Status {
    /// Returns the word that Scrupp uses.
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

/// Reads a process id: an integer in plain form, or its digits in a string.
fn process_id(json: &str) -> Option<u64> {
    let digits = text(json).unwrap_or_else(|| json.to_owned());
    let is_plain = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| is_plain)
}

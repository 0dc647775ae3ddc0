use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use serde_core::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    ApiOrigin, ApiUrl, EventError, Fields, ResultUrlError,
    fields::{ObjectWriter, text},
};

/// The event `task.completed`, which Scrupp sends when a task has ended.
///
/// Scrupp also sends this event for failed tasks. Check the [`status`](Self::status).
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::{Event, Status};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = br#"{"event":"task.completed","process_id":6666,"status":"failed",
///     "error":"Message (optional)","meta":[]}"#;
/// let Event::TaskCompleted(task) = Event::from_json(body)? else { unreachable!() };
/// assert_eq!(task.process_id, 6666);
/// assert_eq!(task.status, Status::Failed);
/// assert_eq!(task.error.as_deref(), Some("Message (optional)"));
///
/// // This `meta` is not an object.
/// assert_eq!(task.meta, None);
/// assert_eq!(task.other.get("meta"), Some("[]"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskCompleted {
    /// The process id of the task.
    pub process_id: u64,
    /// The status of the task.
    pub status: Status,
    result_url: Option<String>,
    /// The error message of a failed task.
    pub error: Option<String>,
    /// Information about the call that started the task.
    pub meta: Option<Meta>,
    /// All other fields, including optional fields that are `null`, of the wrong type, or repeated.
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

    /// Returns the URL of the result.
    ///
    /// - If the event has a `result_url`, the method returns it. The URL must be byte for byte
    ///   equal to one of the two documented URLs of this task at this origin:
    ///
    ///   ```text
    ///   https://api.scrupp.com/api/v1/task/6666/data
    ///   https://api.scrupp.com/task/6666/data
    ///   ```
    ///
    /// - If the event has no `result_url`, the method builds the URL from the process id, as
    ///   Scrupp's documentation recommends. A `result_url` that is not a string or is repeated is
    ///   ignored.
    ///
    /// URLs are compared without decoding or normalization, so an HTTP client cannot interpret an
    /// accepted URL differently. Equivalent spellings, such as `HTTPS:`, `:443`, `%2f` or a
    /// trailing slash, are rejected.
    ///
    /// The status is not checked. A failed task has a URL, but no result.
    ///
    /// # Errors
    ///
    /// Returns a [`ResultUrlError`] if the event has any other `result_url`. To ignore the
    /// `result_url`, use [`ApiOrigin::result_url`].
    ///
    /// # Security
    ///
    /// The request for the result contains the API key. Send the key in `Authorization: Bearer`,
    /// not in the query. Do not follow redirects, because they may lead to another origin.
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

    /// Returns the `result_url` of the event without checking it.
    ///
    /// # Security
    ///
    /// Do not fetch this URL, because it may not belong to Scrupp. Use
    /// [`result_url`](Self::result_url) instead.
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

/// Information about the call that started a task, from the field `meta`.
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
///
/// // This `external_id` is not a string.
/// assert_eq!(meta.external_id, None);
/// assert_eq!(meta.other.get("external_id"), Some("9481"));
/// assert_eq!(meta.other.get("sheet"), Some(r#"{"row":9481}"#));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// The called endpoint, such as `/company/linkedin`.
    pub endpoint: Option<String>,
    /// The id that the caller chose, such as `row_9481`.
    pub external_id: Option<String>,
    /// The integration of the caller, such as `zapier`.
    pub source: Option<String>,
    /// All other fields, including the fields above if they are `null`, of the wrong type, or
    /// repeated.
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

/// The status of a task, in an event or in the response of `GET /task/{process_id}/status`.
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
    /// `queued`: the task has not started.
    Queued,
    /// `running`: the task has started.
    Running,
    /// `completed`: the task has ended with a result.
    Completed,
    /// `failed`: the task has ended without a result.
    Failed,
    /// Any other status, unchanged.
    Other(String),
}

impl Status {
    /// Returns the status as Scrupp writes it.
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

/// Parses a process id: an integer, or a string of its decimal digits.
fn process_id(json: &str) -> Option<u64> {
    let digits = text(json).unwrap_or_else(|| json.to_owned());
    let is_plain = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| is_plain)
}

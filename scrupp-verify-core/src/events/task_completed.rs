use alloc::string::String;

use serde_core::{Serialize, Serializer, ser::SerializeMap};

use super::{ApiOrigin, ApiUrl, EventError, Fields, Meta, ResultUrlError, Status};

/// `task.completed`: a task has come to its end. A failure arrives as this event too; only the
/// status tells.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::{ApiOrigin, Event, Status};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = br#"{"event":"task.completed","process_id":6666,"status":"failed",
///     "error":"Message (optional)"}"#;
/// let Event::TaskCompleted(task) = Event::parse(body)? else { unreachable!() };
/// assert_eq!(task.process_id, 6666);
/// assert_eq!(task.status, Status::Failed);
/// assert_eq!(task.error.as_deref(), Some("Message (optional)"));
/// assert_eq!(task.meta, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskCompleted {
    /// The number of the task.
    pub process_id: u64,
    /// How it ended.
    pub status: Status,
    result_url: Option<String>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// What the call that started the task said about itself.
    pub meta: Option<Meta>,
    /// All other fields, and those of the above that are null.
    pub other: Fields,
}

impl TaskCompleted {
    pub(super) const NAME: &'static str = "task.completed";

    pub(super) fn from_fields(mut fields: Fields) -> Result<Self, EventError> {
        Ok(Self {
            process_id: fields.required("process_id", Fields::unsigned_integer)?,
            status: fields.required("status", Fields::text)?.into(),
            result_url: fields.optional("result_url", Fields::text)?,
            error: fields.optional("error", Fields::text)?,
            meta: fields
                .optional("meta", Fields::object)?
                .map(Meta::from_fields)
                .transpose()?,
            other: fields,
        })
    }

    /// The URL to fetch the result from: the `result_url` of the payload if it has one, otherwise
    /// [`ApiOrigin::result_url`] for this task, as Scrupp's documentation advises.
    ///
    /// The payload's is taken only if it is, byte for byte, one of the two documented forms for
    /// this task at this origin:
    ///
    /// ```text
    /// https://api.scrupp.com/api/v1/task/6666/data
    /// https://api.scrupp.com/task/6666/data
    /// ```
    ///
    /// Nothing is decoded, resolved or normalised, so that there is nothing on which this crate
    /// and an HTTP client could differ. Other spellings of the same URL (`HTTPS:`, `:443`, `%2f`,
    /// a trailing slash) are refused too; Scrupp does not send them.
    ///
    /// A task that failed has no result, yet its URL can be asked for.
    ///
    /// # Errors
    ///
    /// Returns a [`ResultUrlError`] if the payload has a `result_url` of any other form. To go on
    /// without it, use [`ApiOrigin::result_url`].
    ///
    /// # Security
    ///
    /// The request carries the API key. Send it in `Authorization: Bearer`, not in the query,
    /// and do not follow redirects: they may lead anywhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::events::{ApiOrigin, Event};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let origin = ApiOrigin::default();
    ///
    /// let without = Event::parse(
    ///     br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#,
    /// )?;
    /// assert_eq!(without.result_url(&origin)?.as_str(), "https://api.scrupp.com/task/6666/data");
    ///
    /// let elsewhere = Event::parse(
    ///     br#"{"event":"task.completed","process_id":6666,"status":"completed",
    ///         "result_url":"https://api.scrupp.com.example.net/task/6666/data"}"#,
    /// )?;
    /// let error = elsewhere.result_url(&origin).unwrap_err();
    /// assert_eq!(error.to_string(), "the event has no result URL that is documented for its task");
    /// # Ok(())
    /// # }
    /// ```
    pub fn result_url(&self, origin: &ApiOrigin) -> Result<ApiUrl, ResultUrlError> {
        match &self.result_url {
            Some(url) => origin.check_result_url(url, self.process_id),
            None => Ok(origin.result_url(self.process_id)),
        }
    }

    /// The `result_url` as the payload has it. Not to be fetched: see
    /// [`result_url`](Self::result_url).
    #[must_use]
    pub fn unchecked_result_url(&self) -> Option<&str> {
        self.result_url.as_deref()
    }
}

impl Serialize for TaskCompleted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("event", Self::NAME)?;
        object.serialize_entry("process_id", &self.process_id)?;
        object.serialize_entry("status", &self.status)?;
        if let Some(result_url) = &self.result_url {
            object.serialize_entry("result_url", result_url)?;
        }
        if let Some(error) = &self.error {
            object.serialize_entry("error", error)?;
        }
        if let Some(meta) = &self.meta {
            object.serialize_entry("meta", meta)?;
        }
        self.other.write_rest(&mut object, |name| match name {
            "error" => self.error.is_some(),
            "meta" => self.meta.is_some(),
            _ => false,
        })?;
        object.end()
    }
}

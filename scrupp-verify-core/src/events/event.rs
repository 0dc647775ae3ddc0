use alloc::{boxed::Box, string::String};

use serde_core::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::VerifiedDelivery;

use super::{
    ApiOrigin, ApiUrl, EventError, Fields, ResultUrlError, Status, TaskCompleted,
    fields::{ObjectWriter, text},
};

/// The event that a delivery carries.
///
/// An `Event` also implements serde's traits, for `serde_json` only, because fields are kept as
/// JSON text. Unlike [`Event::from_json`], `serde_json` does not skip a byte order mark. A conversion
/// through `serde_json::Value` loses the precision of numbers that do not fit into it.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::Event;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let failed = br#"{"event":"task.completed","process_id":6666,"status":"failed","error":"No"}"#;
/// let event = Event::from_json(failed)?;
/// assert_eq!(event.name(), "task.completed");
/// assert_eq!(event.process_id(), Some(6666));
/// assert_eq!(serde_json::to_vec(&event)?, failed);
///
/// let unknown = Event::from_json(br#"{"event":"credits.low","left":17}"#)?;
/// assert_eq!(unknown.name(), "credits.low");
/// assert_eq!(unknown.process_id(), None);
///
/// assert!(Event::from_json(b"[]").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// `task.completed`: a task has ended, with or without a result.
    TaskCompleted(TaskCompleted),
    /// Any other event.
    Other(OtherEvent),
}

impl Event {
    /// Reads the event of a verified delivery.
    ///
    /// # Errors
    ///
    /// Those of [`Event::from_json`].
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::{Secret, Signer, UnixTime, Verifier, events::Event};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let secret = Secret::new("topsecret")?;
    /// # let now = UnixTime::from_secs(1_735_471_800);
    /// # let body = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
    /// # let headers = Signer::new(&secret).sign(now, body.as_bytes());
    /// let delivery = Verifier::new(secret).verify(&headers, body, now)?;
    /// assert_eq!(Event::parse(&delivery)?.process_id(), Some(6666));
    /// # Ok(())
    /// # }
    /// ```
    pub fn parse<B: AsRef<[u8]>>(delivery: &VerifiedDelivery<B>) -> Result<Self, EventError> {
        Self::from_json(delivery.body().as_ref())
    }

    /// Reads an event from JSON, after a UTF-8 byte order mark if there is one: the body of a
    /// delivery that was verified before it was stored, or a test's.
    ///
    /// # Security
    ///
    /// Nothing here says who wrote the JSON. For a request, use [`Event::parse`].
    ///
    /// # Errors
    ///
    /// Returns an [`EventError`] if the body is not a JSON object in UTF-8, or if the name of a
    /// field is not Unicode, as in `{"\ud800":1}`. The fields that identify an event must be in
    /// there once:
    ///
    /// 1. `event`: a string.
    /// 2. `process_id`, if the event is `task.completed`: an integer from 0 to 2^64 - 1, or its
    ///    decimal digits in a string. Signs, fractions, exponents and leading zeros are rejected.
    /// 3. `status`, if the event is `task.completed`: a string.
    ///
    /// No other field causes an error.
    pub fn from_json(body: &[u8]) -> Result<Self, EventError> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let mut fields = Fields::from_json(body).ok_or(EventError {
            field: None,
            problem: "not a JSON object",
        })?;
        let name = fields.required("event", text, "expected a Unicode string")?;
        match name.as_str() {
            TaskCompleted::NAME => TaskCompleted::from_fields(fields).map(Self::TaskCompleted),
            _ => Ok(Self::Other(OtherEvent { name, fields })),
        }
    }

    /// Returns the name of the event, such as `task.completed`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::TaskCompleted(_) => TaskCompleted::NAME,
            Self::Other(event) => &event.name,
        }
    }

    /// Returns the number of the task that the event is about, and `None` if the event is unknown.
    #[must_use]
    pub fn process_id(&self) -> Option<u64> {
        match self {
            Self::TaskCompleted(task) => Some(task.process_id),
            Self::Other(_) => None,
        }
    }

    /// Returns the status of the task, and `None` if the event is unknown.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::TaskCompleted(task) => Some(&task.status),
            Self::Other(_) => None,
        }
    }

    /// Returns the URL to fetch the result from: see [`TaskCompleted::result_url`].
    ///
    /// # Errors
    ///
    /// Returns a [`ResultUrlError`] if [`TaskCompleted::result_url`] returns one, and if the event
    /// is unknown.
    pub fn result_url(&self, origin: &ApiOrigin) -> Result<ApiUrl, ResultUrlError> {
        match self {
            Self::TaskCompleted(task) => task.result_url(origin),
            Self::Other(_) => Err(ResultUrlError(())),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::TaskCompleted(task) => task.serialize(serializer),
            Self::Other(event) => event.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As text first, because `serde_json` quotes a value of the wrong type in its message.
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_json(json.get().as_bytes()).map_err(de::Error::custom)
    }
}

/// An event whose name this crate does not know.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::Event;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = br#"{"event":"task.started","process_id":"of another type"}"#;
/// let Event::Other(event) = Event::from_json(body)? else { unreachable!() };
/// assert_eq!(event.name, "task.started");
/// assert_eq!(event.fields.get_as::<&str>("process_id"), Some("of another type"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtherEvent {
    /// The field `event`.
    pub name: String,
    /// All other fields.
    pub fields: Fields,
}

impl Serialize for OtherEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = ObjectWriter::new(serializer)?;
        object.field("event", Some(&self.name))?;
        object.end(&self.fields)
    }
}

use alloc::{boxed::Box, string::String};

use serde_core::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::VerifiedDelivery;

use super::{
    ApiOrigin, ApiUrl, EventError, Fields, ResultUrlError, Status, TaskCompleted,
    fields::{ObjectWriter, text},
};

/// The event of a delivery.
///
/// `Event` implements `Serialize` and `Deserialize` for use with `serde_json` only, because fields
/// are kept as JSON text. Unlike [`Event::from_json`], `serde_json` rejects a byte order mark. A
/// conversion through `serde_json::Value` may lose the precision of numbers.
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
/// let error = Event::from_json(br#"{"event":"task.completed","process_id":6666}"#).unwrap_err();
/// assert_eq!(error.to_string(), "status: missing");
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
    /// Parses the event of a verified delivery.
    ///
    /// # Errors
    ///
    /// The same errors as [`Event::from_json`].
    ///
    /// # Examples
    ///
    /// ```
    /// use scrupp_verify_core::{Secret, Signer, UnixTime, Verifier, events::Event};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let secret = Secret::new("topsecret")?;
    /// let signer = Signer::new(&secret);
    /// let verifier = Verifier::new(secret);
    /// let now = UnixTime::from_secs(1_735_471_800);
    ///
    /// let body = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
    /// let delivery = verifier.verify(&signer.sign(now, body.as_bytes()), body, now)?;
    /// assert_eq!(Event::parse(&delivery)?.process_id(), Some(6666));
    ///
    /// let body = "hello world";
    /// let delivery = verifier.verify(&signer.sign(now, body.as_bytes()), body, now)?;
    /// assert_eq!(Event::parse(&delivery).unwrap_err().to_string(), "not a JSON object");
    /// # Ok(())
    /// # }
    /// ```
    pub fn parse<B: AsRef<[u8]>>(delivery: &VerifiedDelivery<B>) -> Result<Self, EventError> {
        Self::from_json(delivery.body().as_ref())
    }

    /// Parses an event from JSON. A UTF-8 byte order mark before the JSON is skipped.
    ///
    /// # Security
    ///
    /// This function does not verify the origin of the JSON. For requests, use [`Event::parse`].
    /// Use this function for tests, and for bodies that were verified before they were stored.
    ///
    /// # Errors
    ///
    /// Returns an [`EventError`] if the body is not a JSON object in UTF-8, or if a field name
    /// contains an unpaired surrogate, as in `{"\ud800":1}`.
    ///
    /// Also returns an error if one of the following fields is missing, repeated or invalid:
    ///
    /// 1. `event`: a string.
    /// 2. `process_id`: an integer from 0 to 2^64 - 1, or a string of its decimal digits. Signs,
    ///    fractions, exponents and leading zeros are invalid. Only for `task.completed`.
    /// 3. `status`: a string. Only for `task.completed`.
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

    /// Returns the process id of the task. Returns `None` if the event is unknown.
    #[must_use]
    pub fn process_id(&self) -> Option<u64> {
        match self {
            Self::TaskCompleted(task) => Some(task.process_id),
            Self::Other(_) => None,
        }
    }

    /// Returns the status of the task. Returns `None` if the event is unknown.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::TaskCompleted(task) => Some(&task.status),
            Self::Other(_) => None,
        }
    }

    /// Returns the URL of the result. See [`TaskCompleted::result_url`] for the rules and an
    /// example.
    ///
    /// # Errors
    ///
    /// Returns a [`ResultUrlError`] if the `result_url` of the event is not accepted, or if the
    /// event is unknown.
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
        // Takes the text first, because the errors of `serde_json` quote values of the wrong type.
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_json(json.get().as_bytes()).map_err(de::Error::custom)
    }
}

/// An event with an unknown name.
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
    /// The name of the event, from the field `event`.
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

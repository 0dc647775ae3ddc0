use alloc::boxed::Box;

use serde_core::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use super::{
    ApiOrigin, ApiUrl, EventError, EventErrorKind, Fields, OtherEvent, ResultUrlError, Status,
    TaskCompleted,
};

/// What a delivery says.
///
/// # With serde
///
/// Is read and written by `serde_json` as well, and by nothing else: the fields that this crate
/// does not know are kept as JSON text. On the way through a `serde_json::Value`, numbers that do
/// not fit into it lose precision.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::Event;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let failed = br#"{"event":"task.completed","process_id":6666,"status":"failed","error":"No"}"#;
/// let event = Event::parse(failed)?;
/// assert_eq!(event.name(), "task.completed");
/// assert_eq!(event.process_id(), Some(6666));
/// assert_eq!(serde_json::to_vec(&event)?, failed);
///
/// let unheard_of = Event::parse(br#"{"event":"credits.low","left":17}"#)?;
/// assert_eq!(unheard_of.name(), "credits.low");
/// assert_eq!(unheard_of.process_id(), None);
///
/// assert!(Event::parse(b"[]").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// `task.completed`: a task has come to its end, be it a good one or not.
    TaskCompleted(TaskCompleted),
    /// Any other event.
    Other(OtherEvent),
}

impl Event {
    /// Reads the body of a delivery.
    ///
    /// # Errors
    ///
    /// An [`EventError`] where the body is not a JSON object, or a known field is missing, of the
    /// wrong type, or in there twice. A field that may be missing may be `null`. Of an event with
    /// an unknown name only the field `event` is known.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        let json: &RawValue = serde_json::from_slice(body)
            .map_err(|_| EventError::of_body(EventErrorKind::NotJson))?;
        let mut fields = Fields::object(json.get()).map_err(EventError::of_body)?;
        let name = fields.required("event", Fields::text)?;
        match name.as_str() {
            TaskCompleted::NAME => TaskCompleted::from_fields(fields).map(Self::TaskCompleted),
            _ => Ok(Self::Other(OtherEvent { name, fields })),
        }
    }

    /// The name of the event, such as `task.completed`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::TaskCompleted(_) => TaskCompleted::NAME,
            Self::Other(event) => &event.name,
        }
    }

    /// The number of the task that the event is about; `None` for an event that is not known.
    #[must_use]
    pub fn process_id(&self) -> Option<u64> {
        match self {
            Self::TaskCompleted(task) => Some(task.process_id),
            Self::Other(_) => None,
        }
    }

    /// How the task stands; `None` for an event that is not known.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::TaskCompleted(task) => Some(&task.status),
            Self::Other(_) => None,
        }
    }

    /// The URL to fetch the result from: see [`TaskCompleted::result_url`].
    ///
    /// # Errors
    ///
    /// Returns a [`ResultUrlError`] if the event is not known, and if
    /// [`TaskCompleted::result_url`] returns one.
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
        // As text first, since `serde_json` would put a value of the wrong type into its message.
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(json.get().as_bytes()).map_err(de::Error::custom)
    }
}

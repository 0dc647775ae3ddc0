use alloc::string::String;

use serde_core::{Serialize, Serializer, ser::SerializeMap};

use super::{EventError, Fields};

/// What the call that started a task said about itself. Its keys vary by integration.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::Event;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = br#"{"event":"task.completed","process_id":6666,"status":"completed",
///     "meta":{"external_id":"row_9481","sheet":{"row":9481}}}"#;
/// let Event::TaskCompleted(task) = Event::parse(body)? else { unreachable!() };
/// let meta = task.meta.unwrap();
///
/// assert_eq!(meta.external_id.as_deref(), Some("row_9481"));
/// assert_eq!(meta.source, None);
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
    /// All other fields, and those of the above that are null.
    pub other: Fields,
}

impl Meta {
    pub(super) fn from_fields(mut fields: Fields) -> Result<Self, EventError> {
        Ok(Self {
            endpoint: fields.optional("meta.endpoint", Fields::text)?,
            external_id: fields.optional("meta.external_id", Fields::text)?,
            source: fields.optional("meta.source", Fields::text)?,
            other: fields,
        })
    }
}

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = [
            ("endpoint", &self.endpoint),
            ("external_id", &self.external_id),
            ("source", &self.source),
        ];
        let mut object = serializer.serialize_map(None)?;
        for (name, value) in known {
            if let Some(value) = value {
                object.serialize_entry(name, value)?;
            }
        }
        self.other.write_rest(&mut object, |name| {
            known
                .iter()
                .any(|(known, value)| *known == name && value.is_some())
        })?;
        object.end()
    }
}

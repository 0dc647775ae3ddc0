use alloc::string::String;

use serde_core::{Serialize, Serializer, ser::SerializeMap};

use super::Fields;

/// An event whose name this crate does not know: from a newer Scrupp, most likely.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::Event;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = br#"{"event":"task.started","process_id":"of another type"}"#;
/// let Event::Other(event) = Event::parse(body)? else { unreachable!() };
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
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("event", &self.name)?;
        self.fields.write_rest(&mut object, |_| false)?;
        object.end()
    }
}

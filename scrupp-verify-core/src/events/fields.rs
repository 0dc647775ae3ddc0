use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use serde_core::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

/// Fields of a JSON object in their original order, with their values as JSON text.
///
/// Values are not parsed, so no information is lost. For example, `1e400` stays `1e400`. Two
/// `Fields` are equal if they have the same names and texts in the same order.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::{Event, Fields};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = br#"{"event":"credits.low","left":17,"plan":"pro","error":null}"#;
/// let Event::Other(event) = Event::from_json(body)? else { unreachable!() };
/// let fields: &Fields = &event.fields;
///
/// assert_eq!(fields.get("plan"), Some("\"pro\""));
/// assert_eq!(fields.get_as::<&str>("plan"), Some("pro"));
/// assert_eq!(fields.get_as::<u32>("left"), Some(17));
/// assert_eq!(fields.get_as::<u32>("plan"), None);
/// assert_eq!(fields.get("right"), None);
/// assert_eq!(fields.iter().last(), Some(("error", "null")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Fields {
    entries: Vec<(String, Box<RawValue>)>,
}

impl Fields {
    /// Returns the JSON text of a field. If the field is repeated, returns the last one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut from_last = self.iter().rev();
        from_last
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, json)| json)
    }

    /// Deserializes a field. Returns `None` if the field is missing or cannot be deserialized as a
    /// `T`.
    ///
    /// [`get`](Self::get) distinguishes the two cases.
    #[must_use]
    pub fn get_as<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Returns an iterator over the fields as (name, JSON text) pairs.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + ExactSizeIterator {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_str(), value.get()))
    }

    /// Returns the number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns `true` if there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn from_json(json: &[u8]) -> Option<Self> {
        let mut json = serde_json::Deserializer::from_slice(json);
        let fields = json.deserialize_map(FieldsVisitor).ok()?;
        json.end().ok()?;
        Some(fields)
    }

    /// Removes and returns a field that occurs once and is valid. Leaves other fields unchanged.
    pub(super) fn optional<T>(&mut self, name: &str, read: fn(&str) -> Option<T>) -> Option<T> {
        let mut found = (0..)
            .zip(&self.entries)
            .filter(|(_, (candidate, _))| candidate == name);
        let (Some((at, (_, json))), None) = (found.next(), found.next()) else {
            return None;
        };
        let value = read(json.get())?;
        self.entries.remove(at);
        Some(value)
    }

    /// Removes and returns a field that must occur once and be valid. `expected` is the message for
    /// an invalid field.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        read: fn(&str) -> Option<T>,
        expected: &'static str,
    ) -> Result<T, EventError> {
        self.optional(name, read).ok_or_else(|| {
            let problem = match self.iter().filter(|(found, _)| *found == name).count() {
                0 => "missing",
                1 => expected,
                _ => "occurs more than once",
            };
            EventError {
                field: Some(name),
                problem,
            }
        })
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ObjectWriter::new(serializer)?.end(self)
    }
}

/// An object that is being serialized. Skips a field of `other` if a typed field has the same name.
pub(super) struct ObjectWriter<M> {
    object: M,
    names: Vec<&'static str>,
}

impl<M: SerializeMap> ObjectWriter<M> {
    pub(super) fn new<S>(serializer: S) -> Result<Self, S::Error>
    where
        S: Serializer<SerializeMap = M>,
    {
        Ok(Self {
            object: serializer.serialize_map(None)?,
            names: Vec::new(),
        })
    }

    pub(super) fn field(
        &mut self,
        name: &'static str,
        value: Option<&impl Serialize>,
    ) -> Result<(), M::Error> {
        let Some(value) = value else { return Ok(()) };
        self.names.push(name);
        self.object.serialize_entry(name, value)
    }

    pub(super) fn end(mut self, other: &Fields) -> Result<M::Ok, M::Error> {
        for (name, value) in &other.entries {
            if !self.names.contains(&name.as_str()) {
                self.object.serialize_entry(name, value)?;
            }
        }
        self.object.end()
    }
}

/// Parses a string. Fails if it contains an unpaired surrogate.
pub(super) fn text(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Fields { entries })
    }
}

/// The error for a body that is not an event.
///
/// The message names the invalid field, and does not quote the body.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::Event;
///
/// let error = Event::from_json(br#"{"event":"task.completed","process_id":true}"#).unwrap_err();
/// assert_eq!(error.field(), Some("process_id"));
/// assert_eq!(error.to_string(), "process_id: expected an unsigned 64-bit integer");
///
/// let error = Event::from_json(b"hello world").unwrap_err();
/// assert_eq!(error.field(), None);
/// assert_eq!(error.to_string(), "not a JSON object");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventError {
    pub(super) field: Option<&'static str>,
    pub(super) problem: &'static str,
}

impl EventError {
    /// Returns the invalid field, which is `event`, `process_id` or `status`. Returns `None` if the
    /// body is not a JSON object.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        self.field
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(self.problem)
    }
}

impl core::error::Error for EventError {}

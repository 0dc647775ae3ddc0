use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use serde_core::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

use super::{EventError, EventErrorKind};

/// The fields of a JSON object that have no type of their own here, in the order in which they
/// came, each with its value as JSON text.
///
/// Nothing is interpreted, so nothing is lost: `1e400` stays `1e400`. Two of these are equal if
/// they have the same names and texts in the same order.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::{Event, Fields};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = br#"{"event":"credits.low","left":17,"plan":"pro","error":null}"#;
/// let Event::Other(event) = Event::parse(body)? else { unreachable!() };
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
    /// The JSON text of a field; of the last one, should there be several of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut from_last = self.iter().rev();
        from_last
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, json)| json)
    }

    /// A field read as a `T`; `None` where there is no such field, or it is no `T`.
    ///
    /// [`get`](Self::get) tells these two apart.
    #[must_use]
    pub fn get_as<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Every field as its name and its JSON text.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + ExactSizeIterator {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_str(), value.get()))
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes out a field that must be there. `path` ends with its name.
    pub(super) fn required<T>(
        &mut self,
        path: &'static str,
        read: Read<T>,
    ) -> Result<T, EventError> {
        self.take(path, read, |_| true)?
            .ok_or(EventError::at(path, EventErrorKind::Missing))
    }

    /// Takes out a field that may be there, and leaves one that is null where it is.
    pub(super) fn optional<T>(
        &mut self,
        path: &'static str,
        read: Read<T>,
    ) -> Result<Option<T>, EventError> {
        self.take(path, read, |json| json != RawValue::NULL.get())
    }

    pub(super) fn unsigned_integer(json: &str) -> Result<u64, EventErrorKind> {
        // Of what `u64` reads, JSON leaves digits only, without a leading zero or a sign.
        json.parse()
            .map_err(|_| EventErrorKind::NotAnUnsignedInteger)
    }

    pub(super) fn text(json: &str) -> Result<String, EventErrorKind> {
        match serde_json::from_str(json) {
            Ok(text) => Ok(text),
            Err(_) if json.starts_with('"') => Err(EventErrorKind::NotUnicode),
            Err(_) => Err(EventErrorKind::NotAString),
        }
    }

    pub(super) fn object(json: &str) -> Result<Self, EventErrorKind> {
        match serde_json::from_str(json) {
            Ok(Object(fields)) => Ok(fields),
            Err(_) if json.starts_with('{') => Err(EventErrorKind::NotUnicode),
            Err(_) => Err(EventErrorKind::NotAnObject),
        }
    }

    /// Writes the fields into an object that has others, except those that it has already.
    pub(super) fn write_rest<M: SerializeMap>(
        &self,
        object: &mut M,
        is_written: impl Fn(&str) -> bool,
    ) -> Result<(), M::Error> {
        let mut rest = self.entries.iter().filter(|(name, _)| !is_written(name));
        rest.try_for_each(|(name, value)| object.serialize_entry(name, value))
    }

    fn take<T>(
        &mut self,
        path: &'static str,
        read: Read<T>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<T>, EventError> {
        let name = path.rsplit('.').next().unwrap_or(path);
        if self
            .iter()
            .filter(|(candidate, _)| *candidate == name)
            .count()
            > 1
        {
            return Err(EventError::at(path, EventErrorKind::Repeated));
        }
        self.entries
            .extract_if(.., |(candidate, value)| {
                candidate == name && is_wanted(value.get())
            })
            .next()
            .map(|(_, value)| read(value.get()).map_err(|kind| EventError::at(path, kind)))
            .transpose()
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
        let mut object = serializer.serialize_map(Some(self.len()))?;
        self.write_rest(&mut object, |_| false)?;
        object.end()
    }
}

type Read<T> = fn(&str) -> Result<T, EventErrorKind>;

struct Object(Fields);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Object(Fields { entries }))
    }
}

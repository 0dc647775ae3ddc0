//! Parses an event and serializes it again. No field may be lost, and both events must be equal.
#![no_main]

use std::fmt;

use libfuzzer_sys::fuzz_target;
use scrupp_verify_core::events::{ApiOrigin, Event};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

fuzz_target!(|body: &[u8]| {
    let parsed = Event::from_json(body);
    // serde_json does not skip a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    assert_eq!(
        parsed.as_ref().ok(),
        serde_json::from_slice(body).ok().as_ref()
    );
    let Ok(event) = parsed else { return };
    let written = serde_json::to_vec(&event).unwrap();
    assert_eq!(Event::from_json(&written).as_ref(), Ok(&event));
    assert_eq!(fields(&written), fields(body));

    let origin = ApiOrigin::default();
    if let Ok(url) = event.result_url(&origin) {
        assert!(url.as_str().starts_with("https://api.scrupp.com/"));
    }
});

/// Returns the fields sorted by name. Fields of the same name keep their order.
fn fields(object: &[u8]) -> Vec<(String, Value)> {
    let Pairs(pairs) = serde_json::from_slice(object).unwrap();
    let value = |name: &str, json: &str| match serde_json::from_str(json) {
        // A process id in a string is written as a number.
        Ok(text) if name == "process_id" => Value::Json(text),
        Ok(text) => Value::Text(text),
        Err(_) if name == "meta" && json.starts_with('{') => {
            Value::Object(match serde_json::from_str(json) {
                Ok(Pairs(pairs)) => sorted(pairs, |_, json| match serde_json::from_str(json) {
                    Ok(text) => Value::Text(text),
                    Err(_) => Value::Json(json.to_owned()),
                }),
                // A name is not valid Unicode.
                Err(_) => vec![(json.to_owned(), Value::Json(String::new()))],
            })
        }
        Err(_) => Value::Json(json.to_owned()),
    };
    sorted(pairs, value)
}

fn sorted(
    pairs: Vec<(String, Box<RawValue>)>,
    value: impl Fn(&str, &str) -> Value,
) -> Vec<(String, Value)> {
    let values = pairs.into_iter().map(|(name, json)| {
        let value = value(&name, json.get());
        (name, value)
    });
    let mut fields: Vec<_> = values.collect();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields
}

#[derive(Debug, PartialEq)]
enum Value {
    Text(String),
    Object(Vec<(String, Value)>),
    /// Compared byte for byte.
    Json(String),
}

struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}

//! Tests that parsing and serialization are lossless for arbitrary JSON objects.

#![cfg(feature = "events")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::fmt;

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use scrupp_verify_core::events::Event;
use serde_core::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

const KNOWN: [&str; 9] = [
    "event",
    "process_id",
    "status",
    "result_url",
    "error",
    "meta",
    "endpoint",
    "external_id",
    "source",
];

proptest! {
    #[test]
    fn an_unknown_event_is_lossless(
        name in text(),
        mut fields in vec(field(), 0..6),
        at in any::<Index>(),
    ) {
        fields.insert(at.index(fields.len() + 1), ("\"event\"".into(), name));
        let body = object(&fields);
        let event = Event::from_json(body.as_bytes()).unwrap();
        prop_assert_eq!(meaning(&written(&event)), meaning(&body));
        prop_assert_eq!(Event::from_json(written(&event).as_bytes()).unwrap(), event);
    }

    #[test]
    fn a_completed_task_is_lossless(mut fields in task(), marked in any::<bool>()) {
        let mark = if marked { "\u{feff}" } else { "" };
        let body = format!("{mark}{}", object(&fields));
        let event = Event::from_json(body.as_bytes()).unwrap();
        prop_assert!(matches!(event, Event::TaskCompleted(_)));
        prop_assert_eq!(Event::from_json(written(&event).as_bytes()).unwrap(), event.clone());
        // A process id in a string is written as a number.
        for (name, value) in &mut fields {
            if name == "\"process_id\"" {
                *value = value.trim_matches('"').to_owned();
            }
        }
        prop_assert_eq!(meaning(&written(&event)), meaning(&object(&fields)));
    }

    #[test]
    fn the_error_names_the_invalid_field(
        mut fields in task(),
        name in select(&["process_id", "status"][..]),
        value in json(),
    ) {
        let quoted = format!("\"{name}\"");
        fields.retain(|(candidate, _)| *candidate != quoted);
        let fits = match name {
            "status" => value.starts_with('"'),
            _ => {
                let text = serde_json::from_str(&value).unwrap_or_else(|_| value.clone());
                text.parse::<u64>().is_ok_and(|id| id.to_string() == text)
            }
        };
        fields.push((quoted, value));
        let named = Event::from_json(object(&fields).as_bytes()).map_err(|error| error.field());
        prop_assert_eq!(named.err(), (!fits).then_some(Some(name)));
    }

    #[test]
    fn does_not_panic_on_arbitrary_bytes(body in vec(any::<u8>(), 0..64)) {
        prop_assert!(Event::from_json(&body).is_err());
    }

    #[test]
    fn from_json_and_serde_json_agree_on_damaged_events(
        fields in task(),
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = object(&fields).into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        prop_assert_eq!(Event::from_json(&body).ok(), serde_json::from_slice(&body).ok());
    }
}

#[test]
fn meaning_distinguishes_values() {
    for (one, other) in [
        ("1", "1.0"),
        ("1e400", "1e401"),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567891",
        ),
        (r#"{"a":1}"#, r#"{"b":1}"#),
        (r#"{"a":null}"#, "{}"),
        (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#),
        (r#"{"a":1,"a":1}"#, r#"{"a":1}"#),
        (r#""a""#, r#"["a"]"#),
        (r#""null""#, "null"),
    ] {
        assert_ne!(meaning(one), meaning(other), "{one} {other}");
    }
    assert_eq!(
        meaning(r#"{"a":1,"b":["\u0061"]}"#),
        meaning(r#" {"b":[ "a"],"\u0061":1 }"#),
    );
}

/// A JSON value with numbers as text, and with object fields sorted by name.
#[derive(Debug, PartialEq)]
enum Meaning {
    Literal(String),
    Text(String),
    List(Vec<Meaning>),
    Object(Vec<(String, Meaning)>),
}

fn meaning(json: &str) -> Meaning {
    let json = json.trim_matches([' ', '\n', '\r', '\t']);
    match json.as_bytes()[0] {
        b'"' => Meaning::Text(serde_json::from_str(json).unwrap()),
        b'[' => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(json).unwrap();
            Meaning::List(items.iter().map(|item| meaning(item.get())).collect())
        }
        b'{' => {
            let Pairs(pairs) = serde_json::from_str(json).unwrap();
            let mut fields: Vec<_> = pairs
                .into_iter()
                .map(|(name, value)| (name, meaning(value.get())))
                .collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other)); // stable, so repeated fields stay in order
            Meaning::Object(fields)
        }
        _ => Meaning::Literal(json.into()),
    }
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

fn written(event: &Event) -> String {
    serde_json::to_string(event).unwrap()
}

/// The name and the value of a field, both as JSON.
type Field = (String, String);

/// The fields of a `task.completed` in any order: valid required fields, arbitrary optional fields,
/// and unknown fields.
fn task() -> impl Strategy<Value = Vec<Field>> {
    let id = (any::<u64>(), any::<bool>()).prop_map(|(id, is_text)| match is_text {
        true => format!("\"{id}\""),
        false => id.to_string(),
    });
    let identity = (
        named("event", Just("\"task.completed\"".to_owned())),
        named("process_id", id),
        named("status", text()),
    );
    let informational = prop_oneof![
        named("result_url", prop_oneof![text(), json()]),
        named("error", prop_oneof![text(), json()]),
        named("meta", prop_oneof![3 => meta(), 1 => json()]),
    ];
    (identity, vec(informational, 0..4), vec(field(), 0..4))
        .prop_map(|((event, process_id, status), informational, other)| {
            let identity = [event, process_id, status].into_iter();
            identity
                .chain(informational)
                .chain(other)
                .collect::<Vec<_>>()
        })
        .prop_shuffle()
}

fn meta() -> impl Strategy<Value = String> {
    let known = prop_oneof![
        named("endpoint", prop_oneof![text(), json()]),
        named("external_id", prop_oneof![text(), json()]),
        named("source", prop_oneof![text(), json()]),
    ];
    (vec(known, 0..4), vec(field(), 0..3))
        .prop_map(|(known, other)| known.into_iter().chain(other).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(|fields| object(&fields))
}

fn named(name: &'static str, value: impl Strategy<Value = String>) -> impl Strategy<Value = Field> {
    value.prop_map(move |value| (format!("\"{name}\""), value))
}

/// A field that is unknown both in an event and in `meta`.
fn field() -> impl Strategy<Value = Field> {
    let frequent = select(vec!["\"a\"", "\"A\"", "\"\"", "\"event \"", "\"Event\""]);
    let name = prop_oneof![frequent.prop_map(String::from), text()];
    let unknown = name.prop_filter("is known", |name| {
        let name: String = serde_json::from_str(name).unwrap();
        !KNOWN.contains(&name.as_str())
    });
    (unknown, json())
}

fn json() -> impl Strategy<Value = String> {
    let literal = select(vec![
        "null", "true", "false", "0", "-0", "1e400", "-1E-400", "6666",
    ]);
    let number = "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?";
    let leaf = prop_oneof![literal.prop_map(String::from), number, text()];
    leaf.prop_recursive(6, 32, 4, |inner| {
        let known = select(&KNOWN[..]).prop_map(|name| format!("\"{name}\""));
        let name = prop_oneof![known, text()];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
            vec((name, inner), 0..4).prop_map(|fields| object(&fields)),
        ]
    })
}

/// A JSON string with or without escapes.
fn text() -> impl Strategy<Value = String> {
    (any::<String>(), any::<bool>()).prop_map(|(text, escaped)| {
        if !escaped {
            return serde_json::to_string(&text).unwrap();
        }
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
        format!("\"{}\"", units.collect::<String>())
    })
}

fn object(fields: &[Field]) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{name} :\t{value}"));
    format!("{{\r\n{}}}", fields.collect::<Vec<_>>().join(", "))
}

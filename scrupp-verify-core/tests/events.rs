//! Tests of parsing events, and of the errors.

#![cfg(feature = "events")]

use scrupp_verify_core::events::{
    ApiOrigin, ApiUrl, Event, EventError, Fields, Meta, OtherEvent, ResultUrlError, Status,
    TaskCompleted,
};
use serde_core::{Deserialize, de::value};

const COMPLETED: &str = r#"{"event":"task.completed","process_id":6666,"status":"completed",
 "result_url":"https://api.scrupp.com/api/v1/task/6666/data",
 "meta":{"endpoint":"/company/linkedin","external_id":"row_9481","source":"zapier"}}"#;

const FAILED: &str = r#"{"event":"task.completed","process_id":6666,"status":"failed","error":"Message (optional)"}"#;

fn task(body: &str) -> TaskCompleted {
    match Event::from_json(body.as_bytes()) {
        Ok(Event::TaskCompleted(task)) => task,
        other => panic!("{body}: {other:?}"),
    }
}

fn with(field: &str) -> String {
    format!(r#"{{"event":"task.completed","process_id":1,"status":"completed",{field}}}"#)
}

#[test]
fn parses_the_documented_body_of_a_completed_task() {
    let event = Event::from_json(COMPLETED.as_bytes()).unwrap();
    assert_eq!(event.name(), "task.completed");
    assert_eq!(event.process_id(), Some(6666));
    assert_eq!(event.status(), Some(&Status::Completed));
    assert_eq!(
        event.result_url(&ApiOrigin::default()).unwrap().as_str(),
        "https://api.scrupp.com/api/v1/task/6666/data",
    );

    let task = task(COMPLETED);
    assert_eq!(task.process_id, 6666);
    assert_eq!(task.status, Status::Completed);
    assert_eq!(
        task.unchecked_result_url(),
        Some("https://api.scrupp.com/api/v1/task/6666/data"),
    );
    assert_eq!(task.error, None);
    assert!(task.other.is_empty());
    let meta = task.meta.unwrap();
    assert_eq!(meta.endpoint.as_deref(), Some("/company/linkedin"));
    assert_eq!(meta.external_id.as_deref(), Some("row_9481"));
    assert_eq!(meta.source.as_deref(), Some("zapier"));
    assert!(meta.other.is_empty());
}

#[test]
fn parses_the_documented_body_of_a_failed_task() {
    let event = Event::from_json(FAILED.as_bytes()).unwrap();
    assert_eq!(event.name(), "task.completed");
    assert_eq!(event.status(), Some(&Status::Failed));
    assert_eq!(
        event.result_url(&ApiOrigin::default()).unwrap().as_str(),
        "https://api.scrupp.com/task/6666/data",
    );

    let task = task(FAILED);
    assert_eq!(task.process_id, 6666);
    assert_eq!(task.error.as_deref(), Some("Message (optional)"));
    assert_eq!(task.unchecked_result_url(), None);
    assert_eq!(task.meta, None);
    assert!(task.other.is_empty());
}

#[test]
fn serializes_the_documented_bodies_without_changes() {
    for body in [COMPLETED, FAILED] {
        let event = Event::from_json(body.as_bytes()).unwrap();
        let written = serde_json::to_string(&event).unwrap();
        assert_eq!(written, body.replace("\n ", ""));
    }
}

#[test]
fn parses_four_statuses_and_preserves_others() {
    for (text, status) in [
        ("queued", Status::Queued),
        ("running", Status::Running),
        ("completed", Status::Completed),
        ("failed", Status::Failed),
        ("Completed", Status::Other("Completed".into())),
        ("completed ", Status::Other("completed ".into())),
        ("", Status::Other("".into())),
        ("päused", Status::Other("päused".into())),
    ] {
        let body = format!(r#"{{"event":"task.completed","process_id":1,"status":"{text}"}}"#);
        assert_eq!(task(&body).status, status, "{text:?}");
        assert_eq!(Status::from(text), status, "{text:?}");
        assert_eq!(Status::from(String::from(text)), status, "{text:?}");
        assert_eq!(status.as_str(), text);
        assert_eq!(status.to_string(), text);
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
    }
}

#[test]
fn parses_every_process_id_of_64_bits() {
    for id in [0, 1, 6666, 1 << 53, (1 << 53) + 1, u64::MAX] {
        let body = format!(r#"{{"event":"task.completed","process_id":{id},"status":"failed"}}"#);
        let event = Event::from_json(body.as_bytes()).unwrap();
        assert_eq!(event.process_id(), Some(id));
        assert_eq!(serde_json::to_string(&event).unwrap(), body);
    }
}

#[test]
fn an_unknown_event_is_a_value_with_all_its_fields() {
    let body = r#"{"event":"credits.low","process_id":"six","status":[],"meta":7,"left":1e400}"#;
    let Ok(Event::Other(event)) = Event::from_json(body.as_bytes()) else {
        panic!("not an unknown event");
    };
    assert_eq!(event.name, "credits.low");
    let kept: Vec<_> = event.fields.iter().collect();
    assert_eq!(
        kept,
        [
            ("process_id", "\"six\""),
            ("status", "[]"),
            ("meta", "7"),
            ("left", "1e400"),
        ],
    );

    let event = Event::Other(event);
    assert_eq!(event.name(), "credits.low");
    assert_eq!(event.process_id(), None);
    assert_eq!(event.status(), None);
    assert!(event.result_url(&ApiOrigin::default()).is_err());
    assert_eq!(serde_json::to_string(&event).unwrap(), body);
}

#[test]
fn the_name_of_an_event_is_compared_byte_for_byte() {
    for name in [
        "",
        "Task.Completed",
        "task.completed ",
        "task.complete",
        "task.failed",
    ] {
        let event = Event::from_json(format!(r#"{{"event":"{name}"}}"#).as_bytes()).unwrap();
        assert!(matches!(event, Event::Other(_)), "{name:?}");
        assert_eq!(event.name(), name);
    }
}

#[test]
fn escaped_names_and_values_are_recognized() {
    let body = r#"{"\u0065vent":"task\u002ecompleted","proc\u0065ss_id":1,"status":"f\u0061iled"}"#;
    assert_eq!(task(body).status, Status::Failed);
}

#[test]
fn optional_fields_that_are_null_are_none_and_preserved() {
    let body = with(r#""result_url":null,"error":null,"meta":null,"x":null"#);
    let event = task(&body);
    assert_eq!(event.unchecked_result_url(), None);
    assert_eq!(event.error, None);
    assert_eq!(event.meta, None);
    assert_eq!(event.other.len(), 4);
    assert_eq!(event.other.get("error"), Some("null"));
    assert_eq!(serde_json::to_string(&event).unwrap(), body);

    let body = with(r#""meta":{"endpoint":null,"external_id":null,"source":null}"#);
    let event = task(&body);
    let meta = event.meta.as_ref().unwrap();
    assert_eq!(meta.endpoint, None);
    assert_eq!(meta.external_id, None);
    assert_eq!(meta.source, None);
    assert_eq!(meta.other.len(), 3);
    assert_eq!(serde_json::to_string(&event).unwrap(), body);
}

/// JSON values that no optional field accepts.
fn values_of_other_types() -> Vec<String> {
    // A depth that overflows the stack of a recursive parser would take hours in Miri.
    let depth = if cfg!(miri) { 200 } else { 200_000 };
    let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let plain = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "9481",
        "1e400",
        "-1.50E-400",
        "123456789012345678901234567890",
        "[]",
        r#"["a" , {"b":1,"b":2}]"#,
        r#""\ud800""#,
        r#"{"\udfff":1}"#,
    ];
    plain.into_iter().map(String::from).chain([deep]).collect()
}

#[test]
fn optional_field_of_another_type_is_none_and_preserved() {
    let values = values_of_other_types();
    let values = values.iter().map(String::as_str);
    let texts = values.clone().chain(["{}", r#"{"message":"no"}"#]);
    let metas = values.chain([r#""""#, r#""zapier""#]);
    let fields = ["result_url", "error"].map(|name| (name, texts.clone().collect::<Vec<_>>()));
    for (name, values) in fields.into_iter().chain([("meta", metas.collect())]) {
        for value in values {
            let body = with(&format!(r#""{name}":{value}"#));
            let event = task(&body);
            let label = format!("{name}: {value:.40}");
            assert_eq!(event.unchecked_result_url(), None, "{label}");
            assert_eq!(event.error, None, "{label}");
            assert_eq!(event.meta, None, "{label}");
            assert_eq!(event.other.get(name), Some(value), "{label}");
            assert_eq!(event.other.len(), 1, "{label}");
            assert_eq!(serde_json::to_string(&event).unwrap(), body, "{label}");
        }
    }
}

#[test]
fn field_of_meta_of_another_type_is_none_and_the_others_are_parsed() {
    for value in values_of_other_types() {
        let body = with(&format!(
            r#""meta":{{"endpoint":"/company/linkedin","source":"zapier","external_id":{value}}}"#
        ));
        let event = task(&body);
        let meta = event.meta.as_ref().unwrap();
        assert_eq!(meta.endpoint.as_deref(), Some("/company/linkedin"));
        assert_eq!(meta.source.as_deref(), Some("zapier"));
        assert_eq!(meta.external_id, None, "{value:.40}");
        assert_eq!(meta.other.get("external_id"), Some(value.as_str()));
        assert_eq!(serde_json::to_string(&event).unwrap(), body);
    }
    let meta = task(&with(r#""meta":{"external_id":9481}"#)).meta.unwrap();
    assert_eq!(meta.other.get_as::<u32>("external_id"), Some(9481));
}

#[test]
fn optional_fields_may_be_empty() {
    let body = with(r#""result_url":"","error":"","meta":{}"#);
    let event = task(&body);
    assert_eq!(event.unchecked_result_url(), Some(""));
    assert_eq!(event.error.as_deref(), Some(""));
    assert!(event.meta.as_ref().unwrap().other.is_empty());
    assert!(event.other.is_empty());
    assert_eq!(serde_json::to_string(&event).unwrap(), body);
}

#[test]
fn repeated_optional_field_is_none_and_all_values_are_preserved() {
    for fields in [
        r#""error":"a","error":"b""#,
        r#""error":"a","error":"a""#,
        r#""error":null,"error":"a""#,
        r#""error":"a","error":1,"error":{}"#,
        r#""result_url":"https://api.scrupp.com/task/1/data","result_url":"x""#,
        r#""meta":{"source":"a"},"meta":{}"#,
        r#""meta":[],"meta":{"source":"a"}"#,
    ] {
        let body = with(fields);
        let event = task(&body);
        assert_eq!(event.unchecked_result_url(), None, "{fields}");
        assert_eq!(event.error, None, "{fields}");
        assert_eq!(event.meta, None, "{fields}");
        assert!(event.other.len() > 1, "{fields}");
        assert_eq!(serde_json::to_string(&event).unwrap(), body);
    }
    let body = with(r#""meta":{"source":"a","source":"b","\u0073ource":null,"endpoint":"/x"}"#);
    let event = task(&body);
    let meta = event.meta.as_ref().unwrap();
    assert_eq!(meta.source, None);
    assert_eq!(meta.endpoint.as_deref(), Some("/x"));
    let kept: Vec<_> = meta.other.iter().collect();
    assert_eq!(
        kept,
        [("source", "\"a\""), ("source", "\"b\""), ("source", "null")]
    );
    let written = serde_json::to_vec(&event).unwrap();
    assert_eq!(Event::from_json(&written), Ok(Event::TaskCompleted(event)));
}

#[test]
fn result_url_is_built_from_the_process_id_if_the_field_is_ignored() {
    for field in [
        r#""result_url":7"#,
        r#""result_url":["https://example.net"]"#,
        r#""result_url":"https://example.net","result_url":"https://example.net""#,
    ] {
        let url = task(&with(field)).result_url(&ApiOrigin::default());
        let built = ApiOrigin::default().result_url(1);
        assert_eq!(url, Ok(built), "{field}");
    }
}

#[test]
fn process_id_may_be_decimal_digits_in_a_string() {
    for (text, id) in [
        ("0", 0),
        ("3", 3),
        ("6666", 6666),
        (r"\u0036666", 6666),
        ("18446744073709551615", u64::MAX),
    ] {
        let body =
            format!(r#"{{"event":"task.completed","process_id":"{text}","status":"failed"}}"#);
        let as_number =
            format!(r#"{{"event":"task.completed","process_id":{id},"status":"failed"}}"#);
        let event = Event::from_json(body.as_bytes()).expect(text);
        assert_eq!(event.process_id(), Some(id));
        assert_eq!(Event::from_json(as_number.as_bytes()).as_ref(), Ok(&event));
        assert_eq!(serde_json::to_string(&event).unwrap(), as_number);
    }
}

#[test]
fn byte_order_mark_before_the_json_is_skipped() {
    for body in [COMPLETED, FAILED, r#" {"event":"x"}"#] {
        let marked = format!("\u{feff}{body}");
        assert_eq!(
            Event::from_json(marked.as_bytes()),
            Event::from_json(body.as_bytes())
        );
    }
    for body in [
        "\u{feff}",
        "\u{feff}\u{feff}{\"event\":\"x\"}",
        " \u{feff}{\"event\":\"x\"}",
        "{\u{feff}\"event\":\"x\"}",
        "{\"event\":\"x\"}\u{feff}",
    ] {
        assert!(Event::from_json(body.as_bytes()).is_err(), "{body:?}");
    }
    assert!(Event::from_json(b"\xef\xbb{\"event\":\"x\"}").is_err());
}

#[test]
fn a_field_that_replaces_an_invalid_one_is_serialized_once() {
    let mut late = task(&with(r#""error":null,"error":{},"meta":{"source":[]}"#));
    late.error = Some("late".into());
    late.meta.as_mut().unwrap().source = Some("make".into());
    assert_eq!(
        serde_json::to_string(&late).unwrap(),
        with(r#""error":"late","meta":{"source":"make"}"#),
    );

    let mut other = task(&with(r#""meta":null"#));
    other.meta = late.meta;
    assert_eq!(
        serde_json::to_string(&other).unwrap(),
        with(r#""meta":{"source":"make"}"#),
    );
}

#[test]
fn unknown_fields_are_preserved_in_order_and_as_text() {
    let fields = task(&with(
        r#""b":1.50,"a":{"x": [1 , 2]},"c":-0,"long":123456789012345678901234567890,"e":"\u00e9\/""#,
    ))
    .other;
    let kept: Vec<_> = fields.iter().collect();
    assert_eq!(
        kept,
        [
            ("b", "1.50"),
            ("a", r#"{"x": [1 , 2]}"#),
            ("c", "-0"),
            ("long", "123456789012345678901234567890"),
            ("e", r#""\u00e9\/""#),
        ],
    );
}

#[test]
fn repeated_unknown_field_returns_the_last_value_and_preserves_all() {
    let body = with(r#""x":1,"x":2"#);
    let event = task(&body);
    assert_eq!(event.other.get("x"), Some("2"));
    assert_eq!(event.other.get_as::<u8>("x"), Some(2));
    assert_eq!(event.other.len(), 2);
    assert!(!event.other.is_empty());
    assert_eq!(serde_json::to_string(&event).unwrap(), body);
}

#[test]
fn unknown_field_deserializes_as_the_requested_type() {
    let fields = task(&with(r#""n":7,"s":"a\u0062","list":[1,2],"null":null"#)).other;
    assert_eq!(fields.get_as::<u8>("n"), Some(7));
    assert_eq!(fields.get_as::<String>("n"), None);
    assert_eq!(fields.get_as::<String>("s").as_deref(), Some("ab"));
    assert_eq!(fields.get_as::<Vec<u8>>("list"), Some(vec![1, 2]));
    assert_eq!(fields.get_as::<Option<u8>>("null"), Some(None));
    assert_eq!(fields.get_as::<Option<u8>>("absent"), None);
    assert_eq!(
        serde_json::to_string(&fields).unwrap(),
        r#"{"n":7,"s":"a\u0062","list":[1,2],"null":null}"#
    );
    assert_eq!(Fields::default().get("n"), None);
}

#[test]
fn fields_are_equal_if_names_and_texts_are_equal_in_order() {
    let fields = |json: &str| task(&with(json)).other;
    assert_eq!(fields(r#""a":1,"b":2"#), fields(r#""a" : 1, "b" : 2"#));
    assert_ne!(fields(r#""a":1,"b":2"#), fields(r#""b":2,"a":1"#));
    assert_ne!(fields(r#""a":1"#), fields(r#""a":1.0"#));
    assert_ne!(fields(r#""a":1"#), fields(r#""a":1,"b":2"#));
}

#[test]
fn body_that_is_not_a_json_object_is_an_error() {
    for (label, body) in [
        ("empty", ""),
        ("text", "hello"),
        ("truncated", r#"{"event":"x""#),
        ("two values", r#"{"event":"x"}{}"#),
        ("trailing comma", r#"{"event":"x",}"#),
        ("line feed in text", "{\"event\":\"\n\"}"),
        ("not a number", r#"{"event":NaN}"#),
        ("broken deep inside", r#"{"event":"x","y":[{"z":01}]}"#),
        ("array", r#"["event"]"#),
        ("string", r#""event""#),
        ("number", "1e400"),
        ("null", " null "),
        ("unpaired surrogate", r#"{"event":"x","\ud800":1}"#),
    ] {
        let error = Event::from_json(body.as_bytes()).expect_err(label);
        assert_eq!(error.field(), None, "{label}");
        assert_eq!(error.to_string(), "not a JSON object", "{label}");
    }
}

#[test]
fn missing_repeated_or_mistyped_identity_is_an_error() {
    let text = "expected a Unicode string";
    let integer = "expected an unsigned 64-bit integer";
    for (body, field, message) in [
        ("{}", "event", "missing"),
        (r#"{"process_id":1,"status":"failed"}"#, "event", "missing"),
        (r#"{"event":null}"#, "event", text),
        (r#"{"event":"\ud800"}"#, "event", text),
        (
            r#"{"event":"x","event":"x"}"#,
            "event",
            "occurs more than once",
        ),
        (
            r#"{"event":"task.completed","status":"failed"}"#,
            "process_id",
            "missing",
        ),
        (
            r#"{"event":"task.completed","process_id":-1,"status":"failed"}"#,
            "process_id",
            integer,
        ),
        (
            r#"{"event":"task.completed","process_id":1,"status":"failed","process_id":"1"}"#,
            "process_id",
            "occurs more than once",
        ),
        (
            r#"{"event":"task.completed","process_id":1}"#,
            "status",
            "missing",
        ),
        (
            r#"{"event":"task.completed","process_id":1,"status":null}"#,
            "status",
            text,
        ),
        (
            r#"{"event":"task.completed","process_id":1,"status":["failed"]}"#,
            "status",
            text,
        ),
        (
            r#"{"event":"task.completed","process_id":1,"status":"\ud800"}"#,
            "status",
            text,
        ),
        (
            &with(r#""st\u0061tus":"x""#),
            "status",
            "occurs more than once",
        ),
    ] {
        let error = Event::from_json(body.as_bytes()).expect_err(body);
        assert_eq!(error.field(), Some(field), "{body}");
        assert_eq!(error.to_string(), format!("{field}: {message}"), "{body}");
    }
}

#[test]
fn process_id_in_any_other_form_is_an_error() {
    for value in [
        "null",
        "true",
        "\"\"",
        "\" 6666\"",
        "\"6666 \"",
        "\"+6666\"",
        "\"-6666\"",
        "\"-0\"",
        "\"06666\"",
        "\"00\"",
        "\"6666.0\"",
        "\"1e3\"",
        "\"0x1a0a\"",
        "\"18446744073709551616\"",
        "\"\u{666}\"",
        "\"\\ud800\"",
        "[\"6666\"]",
        "-1",
        "-0",
        "6666.0",
        "6666.5",
        "1e3",
        "1E400",
        "18446744073709551616",
        "[6666]",
        "{}",
    ] {
        let body =
            format!(r#"{{"event":"task.completed","process_id":{value},"status":"failed"}}"#);
        let error = Event::from_json(body.as_bytes()).expect_err(value);
        assert_eq!(error.field(), Some("process_id"), "{value}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_not_json() {
    for body in [
        &b"{\"event\":\"\xff\"}"[..],
        b"{\"event\":\"x\",\"\xc0\xaf\":1}",
        b"{\"event\":\"x\",\"y\":\"\xed\xa0\x80\"}",
        b"{\"event\":\"x\",\"y\":[{\"\xff\":1}]}",
        b"\0",
        b"{\0}",
    ] {
        let error = Event::from_json(body).unwrap_err();
        assert_eq!(error.to_string(), "not a JSON object", "{body:?}");
    }
}

#[test]
fn errors_do_not_quote_the_payload() {
    for body in [
        r#""leak""#.into(),
        r#"["leak"]"#.into(),
        "leak".into(),
        r#"{"leak":1"#.into(),
        r#"{"event":["leak"]}"#.into(),
        r#"{"event":{"leak":"leak"}}"#.into(),
        r#"{"leak":"leak"}"#.into(),
        r#"{"event":"task.completed","process_id":"leak"}"#.into(),
        r#"{"event":"task.completed","process_id":1,"status":{"leak":1}}"#.into(),
        with(r#""leak":1,"\ud800":2"#),
        with(r#""status":"leak""#),
    ] {
        let error = Event::from_json(body.as_bytes()).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("leak"), "{body}: {said}");

        let error = serde_json::from_str::<Event>(&body).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("leak"), "{body}: {said}");
    }
}

#[test]
fn serde_json_parses_the_same_events_with_the_same_errors() {
    for body in [COMPLETED, FAILED, r#" {"event":"x","y":[1e400]} "#] {
        let event = Event::from_json(body.as_bytes()).unwrap();
        assert_eq!(serde_json::from_str::<Event>(body).unwrap(), event);
        assert_eq!(
            serde_json::from_reader::<_, Event>(body.as_bytes()).unwrap(),
            event
        );
    }
    let value: serde_json::Value = serde_json::from_str(COMPLETED).unwrap();
    assert_eq!(serde_json::to_value(task(COMPLETED)).unwrap(), value);
    let event: Event = serde_json::from_value(value).unwrap();
    assert_eq!(event.process_id(), Some(6666));

    let error = serde_json::from_str::<Event>(r#"{"event":7}"#).unwrap_err();
    assert_eq!(error.to_string(), "event: expected a Unicode string");
}

#[test]
fn deserialization_from_another_format_is_rejected() {
    let map = value::MapDeserializer::<_, value::Error>::new(
        [("event", "task.started"), ("status", "queued")].into_iter(),
    );
    assert!(Event::deserialize(map).is_err());
}

#[test]
fn nesting_is_not_limited_by_the_stack() {
    // A depth that overflows the stack of a recursive parser would take hours in Miri.
    let depth = if cfg!(miri) { 200 } else { 200_000 };
    let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for body in [
        format!(r#"{{"event":"x","y":{deep}}}"#),
        with(&format!(r#""y":{deep}"#)),
        with(&format!(r#""meta":{{"y":{deep}}}"#)),
    ] {
        let event = Event::from_json(body.as_bytes()).unwrap();
        assert!(serde_json::to_string(&event).unwrap() == body);
    }
    let body = format!(r#"{{"event":"task.completed","process_id":{deep}}}"#);
    assert!(Event::from_json(body.as_bytes()).is_err());
    let fields = task(&with(&format!(r#""y":{deep}"#))).other;
    assert_eq!(fields.get_as::<serde_json::Value>("y"), None);
}

#[test]
fn private_names_of_serde_json_are_ordinary_names() {
    for name in [
        "$serde_json::private::RawValue",
        "$serde_json::private::Number",
    ] {
        for body in [
            format!(r#"{{"event":"x","{name}":"1","z":2}}"#),
            with(&format!(r#""{name}":"{{}}""#)),
            with(&format!(r#""meta":{{"{name}":"{{}}"}}"#)),
        ] {
            let event = Event::from_json(body.as_bytes()).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), body);
        }
    }
}

#[test]
fn event_types_are_send_and_sync() {
    fn shared<T: Send + Sync + Unpin + 'static>() {}
    shared::<ApiOrigin>();
    shared::<ApiUrl>();
    shared::<Event>();
    shared::<EventError>();
    shared::<Fields>();
    shared::<Meta>();
    shared::<OtherEvent>();
    shared::<ResultUrlError>();
    shared::<Status>();
    shared::<TaskCompleted>();
}

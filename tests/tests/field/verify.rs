//! The example servers reject no genuine delivery because of an informational field, and log each
//! rejection.

use core::time::Duration;

use scrupp_verify_core::dedup::DeliveryId;
use scrupp_verify_tests::{Program, signed};
use serde_json::Value;
use tokio::time::{sleep, timeout};

const EXAMPLES: [&str; 7] = [
    "example-axum",
    "example-actix",
    "example-warp",
    "example-hyper",
    "example-custom",
    "example-poem",
    "example-salvo",
];

/// Sends a signed body, and returns the status of the response.
async fn deliver(program: &Program, body: impl Into<Vec<u8>>) -> u16 {
    let mut delivery = signed(0);
    delivery.body = body.into();
    delivery.sign();
    program.deliver(&delivery).await
}

/// Waits for a line with these words in the program's output.
async fn logged(program: &Program, words: &[&str]) -> String {
    let line = async {
        loop {
            let said = program.said();
            let mut lines = said.lines();
            if let Some(line) = lines.find(|line| words.iter().all(|word| line.contains(word))) {
                return line.to_owned();
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let line = timeout(Duration::from_secs(5), line).await;
    line.unwrap_or_else(|_| panic!("no {words:?} in the log:\n{}", program.said()))
}

#[tokio::test]
async fn no_informational_field_causes_a_rejection() {
    let event = |id: u32, field: &str| {
        format!(r#"{{"event":"task.completed","process_id":{id},"status":"completed"{field}}}"#)
    };
    let bodies = [
        event(1, r#","meta":[]"#),
        event(2, r#","meta":null"#),
        event(3, r#","meta":"text""#),
        event(4, r#","external_id":7"#),
        event(5, r#","external_id":{"a":1}"#),
        event(6, r#","error":{"code":7,"message":"no"}"#),
        event(7, r#","error":7"#),
        event(8, r#","result_url":7"#),
        event(9, r#","new_field":[{"a":null}]"#),
        event(10, r#","meta":{},"meta":{}"#),
        r#"{"event":"task.completed","process_id":"11","status":"completed"}"#.to_owned(),
        format!("\u{feff}{}", event(12, "")),
        format!("\r\n {} \t", event(13, "")),
    ];
    for example in EXAMPLES {
        let none: [(&str, &str); 0] = [];
        let program = Program::start(example, &none).await;
        for body in &bodies {
            assert_eq!(
                deliver(&program, body.as_str()).await,
                200,
                "{example}: {body}"
            );
        }
        let deliveries = program.get("/deliveries").await;
        let deliveries: Vec<Value> = serde_json::from_slice(&deliveries.body).unwrap();
        let ids: Vec<_> = deliveries
            .iter()
            .map(|event| event["process_id"].as_u64())
            .collect();
        assert_eq!(ids, (1..=13).map(Some).collect::<Vec<_>>(), "{example}");
    }
}

#[tokio::test]
async fn every_422_is_logged_with_the_id_of_its_delivery() {
    for example in EXAMPLES {
        let none: [(&str, &str); 0] = [];
        let program = Program::start(example, &none).await;
        for body in [
            r#"{"event":"task.completed","status":"completed"}"#,
            r#"{"event":"task.completed","process_id":1.5,"status":"completed"}"#,
            "[]",
            "not JSON",
        ] {
            assert_eq!(deliver(&program, body).await, 422, "{example}: {body}");
            let id = match example {
                "example-custom" => DeliveryId::of(&[body.as_bytes()]),
                _ => DeliveryId::of(&[b"", body.as_bytes()]),
            };
            logged(&program, &[&id.to_string()]).await;
        }
        assert!(
            !program.said().contains("not JSON"),
            "{example} logs a body"
        );
    }
}

#[tokio::test]
async fn log_distinguishes_handled_deliveries_from_duplicates() {
    let none: [(&str, &str); 0] = [];
    for example in [
        "example-axum",
        "example-actix",
        "example-warp",
        "example-hyper",
        "example-poem",
        "example-salvo",
    ] {
        let program = Program::start(example, &none).await;
        let body = signed(6666).body;
        let id = DeliveryId::of(&[
            b"",
            b"task.completed",
            &6666_u64.to_be_bytes(),
            b"completed",
        ]);
        let id = id.to_string();
        for outcome in ["outcome=\"handled\"", "outcome=\"duplicate\""] {
            assert_eq!(deliver(&program, body.clone()).await, 200, "{example}");
            let line = logged(&program, &[&id, outcome]).await;
            assert!(line.contains(" INFO "), "{example}: {line}");
        }
    }
}

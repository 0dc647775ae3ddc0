use scrupp_verify_tests::{Postgres, TaskApi};

use crate::{Directory, row, rows, send, start};

/// Genuine bodies that are not valid events.
const UNREADABLE: [&[u8]; 7] = [
    br#"{"event":"task.completed","status":"completed"}"#,
    br#"{"event":"task.completed","process_id":-1,"status":"completed"}"#,
    b"[]",
    b"",
    b"not JSON \\ 'quoted' $1",
    b"\xff\xfe not UTF-8",
    b"{\0\0}",
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Delivers each unreadable body twice, and compares the stored bodies, in hexadecimal digits.
async fn unreadable_bodies(database_url: &str, stored: impl Fn() -> String) {
    let api = TaskApi::start().await;
    let inbox = start(database_url, &api, &[]).await;
    for body in UNREADABLE.iter().chain(&UNREADABLE) {
        assert_eq!(send(inbox.address(), body).await, 200, "{body:?}");
    }
    let rows = rows(&inbox).await;
    assert_eq!(rows.len(), UNREADABLE.len());
    let said = inbox.said();
    for row in rows {
        assert_eq!(row["state"], "unreadable", "{row}");
        assert!(
            row["error"].as_str().is_some_and(|error| !error.is_empty()),
            "{row}"
        );
        let delivery_id = row["delivery_id"].as_str().unwrap();
        let warned = |line: &&str| line.contains(delivery_id) && line.contains("WARN");
        assert_eq!(said.lines().filter(warned).count(), 1, "{said}");
    }
    assert!(!said.contains("quoted"), "a body was logged: {said}");
    let mut expected = UNREADABLE.map(hex);
    expected.sort();
    let stored = stored();
    let mut stored: Vec<_> = stored.split(',').collect();
    stored.sort_unstable();
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn stores_unreadable_bodies_unchanged_in_sqlite() {
    let directory = Directory::new("unreadable");
    let stored = || directory.sql("SELECT group_concat(hex(body)) FROM deliveries");
    unreadable_bodies(&directory.database_url(), stored).await;
}

#[tokio::test]
async fn stores_unreadable_bodies_unchanged_in_postgresql() {
    let postgres = Postgres::start().await;
    let bodies = "SELECT string_agg(upper(encode(body, 'hex')), ',') FROM deliveries";
    unreadable_bodies(&postgres.url(), || postgres.sql(bodies)).await;
}

#[tokio::test]
async fn stores_the_body_of_an_event_byte_for_byte() {
    let (directory, api) = (Directory::new("raw"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    let body = "\u{feff} {\"status\" : \"completed\",\"process_id\":\"1\",  \"x\":1.50,\n\"event\":\"task.completed\"}";
    let body = body.replace("\u{feff} ", "\u{feff}");
    assert_eq!(send(inbox.address(), body.as_bytes()).await, 200);
    row(&inbox, 1, "stored").await;
    assert_eq!(
        directory.sql("SELECT hex(body) FROM deliveries"),
        hex(body.as_bytes())
    );
}

#[tokio::test]
async fn fetches_the_results_of_events_with_unexpected_optional_fields() {
    let (directory, api) = (Directory::new("lenient"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    let fields = [
        r#""process_id":1,"meta":[]"#,
        r#""process_id":2,"meta":{"external_id":9481}"#,
        r#""process_id":"3""#,
        r#""process_id":4,"error":{"code":7}"#,
        r#""process_id":5,"result_url":17"#,
        r#""process_id":6,"meta":null,"new":"\u0000""#,
    ];
    for (process_id, fields) in (1..).zip(fields) {
        let event = format!(r#"{{"event":"task.completed",{fields},"status":"completed"}}"#);
        assert_eq!(
            send(inbox.address(), event.as_bytes()).await,
            200,
            "{event}"
        );
        let row = row(&inbox, process_id, "stored").await;
        assert_eq!(row["status"], "completed", "{event}");
        assert_eq!(api.fetches(process_id).len(), 1, "{event}");
    }
}

#[tokio::test]
async fn warns_of_unknown_statuses_and_events() {
    let (directory, api) = (Directory::new("unknown"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    for (event, state) in [
        (
            r#"{"event":"task.completed","process_id":1,"status":"partially_completed"}"#,
            "unknown status",
        ),
        (r#"{"event":"credits.low","left":17}"#, "unknown event"),
    ] {
        assert_eq!(send(inbox.address(), event.as_bytes()).await, 200);
        let rows = rows(&inbox).await;
        let row = rows.last().unwrap();
        assert_eq!(row["state"], state);
        let delivery_id = row["delivery_id"].as_str().unwrap();
        let said = inbox.said();
        let warned = |line: &str| {
            line.contains("WARN") && line.contains(state) && line.contains(delivery_id)
        };
        assert!(said.lines().any(warned), "{said}");
    }
}

//! The example for AWS Lambda, with events of the services that can invoke it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use scrupp_verify_tests::{
    Connection, Delivery, FrontEnd, Program, Redis, SIGNATURE, Server, Step, TIMESTAMP, lambda,
    signed,
};
use serde_json::{Value, json};

const HTTP: FrontEnd = FrontEnd::Lambda {
    event: "http",
    base64: false,
};

async fn start(redis: &Redis) -> Server {
    HTTP.start_with(&[("REDIS_URL", redis.url())]).await
}

/// Sends a delivery through the gateway, and returns the status of the response.
async fn deliver(server: &Server, delivery: &Delivery) -> u16 {
    let mut connection = Connection::open(server.address()).await.unwrap();
    let request = Step::Send(delivery.request());
    connection.send(&[request]).await.unwrap();
    connection.response().await.unwrap().status
}

/// Invokes the function with an event, and returns the status of its response.
async fn invoke(server: &Server, event: &Value) -> Value {
    let event = event.to_string();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        lambda::INVOKE,
        event.len(),
    );
    let mut connection = Connection::open(server.address()).await.unwrap();
    let request = Step::Send([head, event].concat().into());
    connection.send(&[request]).await.unwrap();
    let response = connection.response().await.unwrap();
    let returned: Value = serde_json::from_slice(&response.body).unwrap();
    returned.get("statusCode").unwrap().clone()
}

/// Replaces a header of an event.
fn set(event: &mut Value, name: &str, value: String) {
    for (field, value) in [
        ("headers", json!(value)),
        ("multiValueHeaders", json!([value])),
    ] {
        let headers = event.get_mut(field).and_then(Value::as_object_mut);
        let headers = headers.into_iter().flatten();
        for (_, old) in headers.filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
            *old = value.clone();
        }
    }
}

#[tokio::test]
async fn event_of_each_service_is_handled_once_if_it_is_fresh() {
    const BODY: &str = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
    for name in [
        "rest",
        "rest-base64",
        "http",
        "function-url",
        "alb",
        "alb-multi-value",
    ] {
        let redis = Redis::start(&[]);
        let server = start(&redis).await;
        let mut event = lambda::event(name);
        assert_eq!(invoke(&server, &event).await, 401, "{name}: signed in 2024");

        let mut delivery = signed(6666);
        delivery.body = BODY.into();
        delivery.sign();
        for header in [TIMESTAMP, SIGNATURE] {
            set(&mut event, header, delivery.value(header));
        }
        assert_eq!(invoke(&server, &event).await, 200, "{name}");
        assert_eq!(invoke(&server, &event).await, 200, "{name}: duplicate");
        event["body"] = "eyJldmVudCI6IiJ9".into();
        assert_eq!(invoke(&server, &event).await, 401, "{name}: another body");
        assert_eq!(server.handled(6666).await.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn invalid_event_does_not_end_the_function() {
    let redis = Redis::start(&[]);
    let server = start(&redis).await;
    assert_eq!(invoke(&server, &json!({"version": "2.0"})).await, 502);
    let mut event = lambda::event("rest-base64");
    event["body"] = "not Base64".into();
    assert_eq!(invoke(&server, &event).await, 502);
    assert_eq!(deliver(&server, &signed(1)).await, 200);
}

#[tokio::test]
async fn instances_share_claims() {
    let redis = Redis::start(&[]);
    let (one, another) = (start(&redis).await, start(&redis).await);
    assert_eq!(deliver(&one, &signed(1)).await, 200);
    assert_eq!(deliver(&another, &signed(1)).await, 200);
    assert_eq!(one.handled(1).await.len(), 1);
    assert_eq!(another.handled(1).await.len(), 0);
}

#[tokio::test]
async fn delivery_is_rejected_without_redis() {
    let mut redis = Redis::start(&[]);
    let server = start(&redis).await;
    redis.kill();
    assert_eq!(deliver(&server, &signed(1)).await, 503);
    redis.restart();
    assert_eq!(deliver(&server, &signed(1)).await, 200);
}

#[tokio::test]
async fn invalid_settings_are_named() {
    for (name, value, message) in [
        (
            "SCRUPP_WEBHOOK_SECRET",
            "",
            "SCRUPP_WEBHOOK_SECRET is not set\n",
        ),
        ("REDIS_URL", "", "REDIS_URL is not set\n"),
        ("REDIS_URL", "nonsense", "REDIS_URL: "),
    ] {
        let ended = Program::run("example-lambda", &[], &[(name, value)]).await;
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(
            said.starts_with(message) && said.lines().count() == 1,
            "{said}"
        );
        assert_eq!(ended.status.code(), Some(2));
    }
}

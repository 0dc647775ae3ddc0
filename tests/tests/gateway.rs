//! The gateway: what is verified reaches the target as it is, and nothing else does.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{net::SocketAddr, time::Duration};
use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
    response::IntoResponse,
    routing::any,
};
use http::{StatusCode, header::LOCATION};
use scrupp_verify_tests::{Connection, Delivery, Program, SECRET, Step};
use tokio::{net::TcpListener, time::sleep};

/// Stands in for an automation tool: takes all requests, and answers with a status.
#[derive(Clone)]
struct Target {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    response: Arc<Mutex<(u16, Duration)>>,
}

type Seen = (Uri, HeaderMap, Bytes);

/// What nobody but the gateway and the tool may know.
const TOKEN: &str = "s3cret-of-the-hook";

impl Target {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            response: Arc::new(Mutex::new((200, Duration::ZERO))),
        };
        let app = Router::new().fallback(any(take)).with_state(target.clone());
        tokio::spawn(async { axum::serve(listener, app).await });
        target
    }

    fn url(&self) -> String {
        format!("http://{}/catch/{TOKEN}/?source=scrupp", self.address)
    }

    /// Answers with this status from now on, after this time.
    fn response(&self, status: u16, after: Duration) {
        *self.response.lock().unwrap() = (status, after);
    }

    /// The requests since this was last asked.
    fn seen(&self) -> Vec<Seen> {
        core::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn take(
    State(target): State<Target>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let (status, after) = *target.response.lock().unwrap();
    target.seen.lock().unwrap().push((uri, headers, body));
    sleep(after).await;
    let elsewhere = [(LOCATION, "/elsewhere")];
    (
        StatusCode::from_u16(status).unwrap(),
        elsewhere,
        "debugging information",
    )
}

/// Starts the gateway, which waits for its target for two seconds.
async fn start(url: &str) -> Program {
    let environment = [("FORWARD_TO", url), ("FORWARD_TIMEOUT_SECONDS", "2")];
    Program::start("example-gateway", &environment).await
}

async fn send(gateway: &Program, delivery: &Delivery) -> u16 {
    let mut connection = Connection::open(gateway.address()).await.unwrap();
    let request = Step::Send(delivery.request());
    connection.send(&[request]).await.unwrap();
    let response = connection.response().await.unwrap();
    let body = String::from_utf8(response.body).unwrap();
    assert!(!body.contains("debugging"), "{body}");
    response.status
}

#[tokio::test]
async fn forwards_the_very_bytes_and_the_content_type() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    let bodies = [
        b"{ \"event\":\t\"task.completed\",\r\n\"process_id\":6666.0e0 }\n".to_vec(),
        b"".to_vec(),
        b"\xff\x00 no JSON".to_vec(),
        vec![b'a'; 256 * 1024],
    ];
    let content_types = [Some("application/json; charset=utf-8"), None];
    for (body, content_type) in bodies.iter().zip(content_types.iter().cycle()) {
        let mut delivery = Delivery::new(1);
        delivery.body.clone_from(body);
        delivery.sign();
        if let Some(content_type) = content_type {
            delivery.set("Content-Type", content_type);
        }
        assert_eq!(send(&gateway, &delivery).await, 200);
        let [(uri, headers, seen)] = target.seen().try_into().unwrap();
        assert_eq!(uri.to_string(), format!("/catch/{TOKEN}/?source=scrupp"));
        assert!(seen == *body, "{} bytes", seen.len());
        let seen = headers.get("Content-Type");
        assert_eq!(seen.map(|value| value.to_str().unwrap()), *content_type);
    }
}

#[tokio::test]
async fn forwards_no_other_header() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    let mut delivery = Delivery::new(1);
    for name in [
        "Authorization",
        "Cookie",
        "X-Forwarded-For",
        "X-Recurse-Parse",
    ] {
        delivery.set(name, SECRET);
    }
    assert_eq!(send(&gateway, &delivery).await, 200);
    let [(_, headers, _)] = target.seen().try_into().unwrap();
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "content-length", "host"]);
}

#[tokio::test]
async fn forwards_nothing_that_is_not_verified() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    let mut tampered = Delivery::new(1);
    tampered.body.push(b' ');
    let mut stale = Delivery::new(2);
    stale.sign_with(SECRET, stale.now - 301);
    let mut forged = Delivery::new(3);
    forged.sign_with("guessed", forged.now);
    let mut unsigned = Delivery::new(4);
    unsigned.headers.clear();
    for delivery in [tampered, stale, forged, unsigned] {
        assert_eq!(send(&gateway, &delivery).await, 401);
    }
    let mut too_large = Delivery::new(5);
    too_large.pad_to(256 * 1024 + 1);
    assert_eq!(send(&gateway, &too_large).await, 413);
    assert!(target.seen().is_empty());
    assert_eq!(send(&gateway, &Delivery::new(6)).await, 200);
    assert_eq!(target.seen().len(), 1);
}

#[tokio::test]
async fn passes_the_status_back_and_follows_no_redirect() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    for (process_id, status) in (1..).zip([200, 202, 302, 307, 400, 401, 410, 429, 500, 503]) {
        target.response(status, Duration::ZERO);
        assert_eq!(send(&gateway, &Delivery::new(process_id)).await, status);
        let [(uri, ..)] = target.seen().try_into().unwrap();
        assert_ne!(uri, "/elsewhere");
    }
}

#[tokio::test]
async fn forwards_again_until_the_target_has_acknowledged_and_then_no_more() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    let mut delivery = Delivery::new(1);
    target.response(429, Duration::ZERO);
    assert_eq!(send(&gateway, &delivery).await, 429);
    target.response(201, Duration::ZERO);
    assert_eq!(send(&gateway, &delivery).await, 201);
    assert_eq!(target.seen().len(), 2);

    assert_eq!(send(&gateway, &delivery).await, 200);
    delivery.sign_with(SECRET, delivery.now - 5);
    assert_eq!(send(&gateway, &delivery).await, 200);
    assert!(target.seen().is_empty());
    let deliveries = gateway.get("/deliveries").await.body;
    let deliveries: Vec<serde_json::Value> = serde_json::from_slice(&deliveries).unwrap();
    let [forwarded] = deliveries.try_into().unwrap();
    assert_eq!(forwarded["process_id"], 1);
    assert_eq!(forwarded["status"], "completed");
}

#[tokio::test]
async fn responds_504_while_the_target_is_slow_and_502_while_it_is_down() {
    let target = Target::start().await;
    let mut gateway = start(&target.url()).await;
    let delivery = Delivery::new(1);
    target.response(200, Duration::from_secs(60));
    let begin = Instant::now();
    assert_eq!(send(&gateway, &delivery).await, 504);
    assert!(begin.elapsed() < Duration::from_secs(20));
    target.response(200, Duration::ZERO);
    assert_eq!(send(&gateway, &delivery).await, 200);

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/{TOKEN}", free.local_addr().unwrap());
    drop(free);
    let without_target = start(&nobody).await;
    assert_eq!(send(&without_target, &delivery).await, 502);
    assert_eq!(gateway.terminate().await, Some(0));

    for said in [gateway.said(), without_target.said()] {
        assert!(said.contains("the target does not answer"), "{said}");
        assert!(!said.contains(TOKEN) && !said.contains(SECRET), "{said}");
    }
}

#[tokio::test]
async fn ends_a_delivery_under_way_before_it_stops() {
    let target = Target::start().await;
    let mut gateway = start(&target.url()).await;
    target.response(200, Duration::from_millis(300));
    let mut connection = Connection::open(gateway.address()).await.unwrap();
    let request = Step::Send(Delivery::new(1).request());
    connection.send(&[request]).await.unwrap();
    while target.seen.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let (code, response) = tokio::join!(gateway.terminate(), connection.response());
    assert_eq!((code, response.unwrap().status), (Some(0), 200));
}

#[tokio::test]
async fn says_which_setting_is_wrong() {
    let secret_url = format!("ftp://localhost/{TOKEN}");
    let settings = [
        (
            "SCRUPP_WEBHOOK_SECRET",
            "",
            "SCRUPP_WEBHOOK_SECRET is not set",
        ),
        ("FORWARD_TO", &secret_url, "FORWARD_TO: "),
        ("FORWARD_TO", TOKEN, "FORWARD_TO: "),
        ("FORWARD_TIMEOUT_SECONDS", "-1", "FORWARD_TIMEOUT_SECONDS: "),
        (
            "FORWARD_TIMEOUT_SECONDS",
            "soon",
            "FORWARD_TIMEOUT_SECONDS: ",
        ),
        ("BIND", "nowhere", "BIND=nowhere: "),
    ];
    for (name, value, said) in settings {
        let environment = [("FORWARD_TO", "http://127.0.0.1:9/"), (name, value)];
        let ended = Program::run("example-gateway", &[], &environment).await;
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{name}={value}: {errors}");
        assert!(errors.starts_with(said), "{errors}");
        assert!(!errors.contains(TOKEN), "{errors}");
    }
    let ended = Program::run("example-gateway", &[], &[("BIND", "127.0.0.1:0")]).await;
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(ended.stderr, b"FORWARD_TO is not set\n");
}

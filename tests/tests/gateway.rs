//! The gateway: what is verified reaches the target as it is, and nothing else does.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{net::SocketAddr, time::Duration};
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
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
use scrupp_verify_tests::{Connection, Delivery, Program, SECRET, Step, free_port, signed};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// Stand-in for an automation tool, which responds to all requests with a status.
#[derive(Clone)]
struct Target {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    response: Arc<Mutex<(u16, Duration)>>,
}

type Seen = (Uri, HeaderMap, Bytes);

/// Part of the target's URL that only the gateway and the tool may know.
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

    /// Sets the status of the following responses, and the time before each.
    fn response(&self, status: u16, after: Duration) {
        *self.response.lock().unwrap() = (status, after);
    }

    /// Returns the requests since the last call.
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

/// Starts the gateway with a timeout of two seconds for its target.
async fn start(url: &str) -> Program {
    start_with(url, &[]).await
}

async fn start_with(url: &str, more: &[(&str, &str)]) -> Program {
    let environment = [("FORWARD_TO", url), ("FORWARD_TIMEOUT_SECONDS", "2")];
    Program::start("example-gateway", &[&environment, more].concat()).await
}

/// Returns the lines of the log that contain a text, once there are as many.
async fn log_lines(gateway: &Program, text: &str, expected: usize) -> Vec<String> {
    let begin = Instant::now();
    loop {
        let said = gateway.said();
        let lines = said.lines().filter(|line| line.contains(text));
        let lines: Vec<_> = lines.map(str::to_owned).collect();
        if lines.len() >= expected {
            assert_eq!(lines.len(), expected, "{said}");
            assert!(!said.contains(TOKEN) && !said.contains(SECRET), "{said}");
            return lines;
        }
        assert!(begin.elapsed() < Duration::from_secs(5), "{text}: {said}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Returns a URL on which nothing listens.
fn nobody() -> String {
    format!("http://127.0.0.1:{}/{TOKEN}", free_port())
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
        let mut delivery = signed(1);
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
    let mut delivery = signed(1);
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
    assert_eq!(names, ["accept", "content-length", "host", "user-agent"]);
    let user_agent = headers.get("User-Agent").unwrap().to_str().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(user_agent, format!("example-gateway/{version}"));
}

#[tokio::test]
async fn forwards_nothing_that_is_not_verified() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    let mut tampered = signed(1);
    tampered.body.push(b' ');
    let mut stale = signed(2);
    stale.sign_with(SECRET, stale.now - 301);
    let mut forged = signed(3);
    forged.sign_with("guessed", forged.now);
    let mut unsigned = signed(4);
    unsigned.headers.clear();
    for delivery in [tampered, stale, forged, unsigned] {
        assert_eq!(send(&gateway, &delivery).await, 401);
    }
    let mut too_large = signed(5);
    too_large.pad_to(256 * 1024 + 1);
    assert_eq!(send(&gateway, &too_large).await, 413);
    assert!(target.seen().is_empty());
    assert_eq!(send(&gateway, &signed(6)).await, 200);
    assert_eq!(target.seen().len(), 1);
}

#[tokio::test]
async fn passes_the_status_back_and_follows_no_redirect() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    for (process_id, status) in (1..).zip([200, 202, 302, 307, 400, 401, 410, 429, 500, 503]) {
        target.response(status, Duration::ZERO);
        assert_eq!(send(&gateway, &signed(process_id)).await, status);
        let [(uri, ..)] = target.seen().try_into().unwrap();
        assert_ne!(uri, "/elsewhere");
    }
    let logged = log_lines(&gateway, "the target did not accept a delivery", 8).await;
    for (line, status) in logged.iter().zip([302, 307, 400, 401, 410, 429, 500, 503]) {
        assert!(line.contains(" WARN "), "{line}");
        assert!(line.ends_with(&format!(" status={status}")), "{line}");
        let (_, id) = line.split_once(" delivery_id=").unwrap();
        let is_id = |id: &str| id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit());
        assert!(
            id.split_once(' ').is_some_and(|(id, _)| is_id(id)),
            "{line}"
        );
    }
}

#[tokio::test]
async fn forwards_again_until_the_target_has_acknowledged_and_then_no_more() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    let mut delivery = signed(1);
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
    let delivery = signed(1);
    target.response(200, Duration::from_secs(60));
    let begin = Instant::now();
    assert_eq!(send(&gateway, &delivery).await, 504);
    assert!(begin.elapsed() < Duration::from_secs(20));
    target.response(200, Duration::ZERO);
    assert_eq!(send(&gateway, &delivery).await, 200);

    let without_target = start(&nobody()).await;
    assert_eq!(send(&without_target, &delivery).await, 502);
    assert_eq!(gateway.terminate().await, Some(0));

    for (gateway, status, cause) in [
        (&gateway, 504, "operation timed out"),
        (&without_target, 502, "Connection refused"),
    ] {
        let [line] = log_lines(gateway, "no response: ", 1)
            .await
            .try_into()
            .unwrap();
        assert!(
            line.contains(" WARN ") && line.contains(" delivery_id="),
            "{line}"
        );
        assert!(line.contains(&format!(" status={status}")), "{line}");
        assert!(line.contains(cause), "{line}");
    }
}

#[tokio::test]
async fn responds_502_to_a_status_that_ends_no_request() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    target.response(101, Duration::ZERO);
    assert_eq!(send(&gateway, &signed(1)).await, 502);
    target.response(200, Duration::ZERO);
    assert_eq!(send(&gateway, &signed(1)).await, 200);
}

#[tokio::test]
async fn client_that_half_closes_gets_its_response_from_a_slow_target() {
    let target = Target::start().await;
    let mut gateway = start(&target.url()).await;
    target.response(200, Duration::from_secs(1));
    for process_id in [1, 2] {
        let mut connection = Connection::open(gateway.address()).await.unwrap();
        let request = Step::Send(signed(process_id).request());
        connection.send(&[request, Step::Finish]).await.unwrap();
        if process_id == 1 {
            assert_eq!(connection.response().await.unwrap().status, 200);
            continue;
        }
        while target.seen.lock().unwrap().len() < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        let (code, response) = tokio::join!(gateway.terminate(), connection.response());
        assert_eq!((code, response.unwrap().status), (Some(0), 200));
    }
}

#[tokio::test]
async fn client_that_resets_the_connection_gets_its_next_attempt_forwarded() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    target.response(200, Duration::from_secs(1));
    let delivery = signed(1);
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(&delivery.request()).await.unwrap();
    while target.seen.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    stream.set_zero_linger().unwrap();
    drop(stream);
    target.response(201, Duration::ZERO);
    sleep(Duration::from_millis(200)).await;
    // 200 without a forward would be a duplicate, and 503 a delivery in flight.
    assert_eq!(send(&gateway, &delivery).await, 201);
    assert_eq!(target.seen().len(), 2);
}

/// Counts the connections to a proxy, which closes them.
async fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Relaxed);
        }
    });
    (url, connections)
}

#[tokio::test]
async fn uses_a_proxy_for_https_targets_elsewhere_only() {
    let target = Target::start().await;
    let (proxy, connections) = proxy().await;
    let settings = [
        ("HTTP_PROXY", &*proxy),
        ("http_proxy", &*proxy),
        ("HTTPS_PROXY", &*proxy),
        ("ALL_PROXY", &*proxy),
        ("NO_PROXY", ""),
        ("SSL_CERT_FILE", ROOT),
    ];
    let port = target.address.port();
    let responds = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        // Not a loopback address, but the same host.
        format!("http://0.0.0.0:{port}/"),
    ];
    for url in responds {
        let gateway = start_with(&url, &settings).await;
        assert_eq!(send(&gateway, &signed(1)).await, 200, "{url}");
        assert_eq!(target.seen().len(), 1);
    }
    // The target does not speak TLS.
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "127.9.9.9",
        "[::ffff:127.0.0.1]",
    ] {
        let url = format!("https://{host}:{port}/{TOKEN}");
        let gateway = start_with(&url, &settings).await;
        assert_eq!(send(&gateway, &signed(1)).await, 502, "{url}");
    }
    assert_eq!(connections.load(Relaxed), 0);
    let gateway = start_with("https://hook.invalid/", &settings).await;
    assert_eq!(send(&gateway, &signed(1)).await, 502);
    assert_eq!(connections.load(Relaxed), 1);
}

/// File with a root certificate of nobody.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/root.pem");

#[tokio::test]
async fn needs_root_certificates_for_https_targets_only() {
    let target = Target::start().await;
    let no_roots = [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere")];
    let gateway = start_with(&target.url(), &no_roots).await;
    assert_eq!(send(&gateway, &signed(1)).await, 200);

    let url = format!("https://hook.invalid/{TOKEN}");
    let environment = [&no_roots[..], &[("FORWARD_TO", &*url)]].concat();
    let ended = Program::run("example-gateway", &[], &environment).await;
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{errors}");
    assert!(
        errors.starts_with("FORWARD_TO: builder error: "),
        "{errors}"
    );
    assert!(errors.contains("No CA certificates"), "{errors}");
    assert!(!errors.contains(TOKEN), "{errors}");
}

#[tokio::test]
async fn forwards_verified_deliveries_that_are_not_events() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    let bodies = [
        &b"not an event"[..],
        b"[]",
        b"{}",
        br#"{"event":"task.completed"}"#,
    ];
    for body in bodies {
        let mut delivery = signed(1);
        delivery.body = body.to_vec();
        delivery.sign();
        assert_eq!(send(&gateway, &delivery).await, 200);
        assert_eq!(target.seen().len(), 1);
    }
}

#[tokio::test]
async fn ends_a_delivery_under_way_before_it_stops() {
    let target = Target::start().await;
    let mut gateway = start(&target.url()).await;
    target.response(200, Duration::from_millis(300));
    let mut connection = Connection::open(gateway.address()).await.unwrap();
    let request = Step::Send(signed(1).request());
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
    let no_base = "FORWARD_TO: relative URL without a base\n";
    let mut settings = vec![
        (
            "SCRUPP_WEBHOOK_SECRET",
            "",
            "SCRUPP_WEBHOOK_SECRET is not set\n",
        ),
        ("FORWARD_TO", "", "FORWARD_TO is not set\n"),
        (
            "FORWARD_TO",
            &secret_url,
            "FORWARD_TO: not an http or https URL\n",
        ),
        ("FORWARD_TO", TOKEN, no_base),
        ("FORWARD_TO", "https://", "FORWARD_TO: empty host\n"),
        ("BIND", "nowhere", "BIND=nowhere: "),
    ];
    let bounds = "FORWARD_TIMEOUT_SECONDS: expected a number from 0.1 to 20\n";
    let wrong = [
        "-1", "0", "-0", "0.09", "20.1", "1e19", "1e999", "inf", "nan", "soon", " 1", "1s",
    ];
    settings.extend(wrong.map(|wrong| ("FORWARD_TIMEOUT_SECONDS", wrong, bounds)));
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
    let not_utf8 = OsStr::from_bytes(b"http://127.0.0.1/s3cret-of-the-hook\xff");
    let ended = Program::run("example-gateway", &[], &[("FORWARD_TO", not_utf8)]).await;
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(ended.stderr, b"FORWARD_TO: not UTF-8\n");
}

#[tokio::test]
async fn empty_timeout_is_the_default() {
    let target = Target::start().await;
    let gateway = start_with(&target.url(), &[("FORWARD_TIMEOUT_SECONDS", "")]).await;
    target.response(200, Duration::from_secs(60));
    let begin = Instant::now();
    assert_eq!(send(&gateway, &signed(1)).await, 504);
    assert!((5..15).contains(&begin.elapsed().as_secs()));
}

//! The gateway forwards verified deliveries unmodified, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{net::SocketAddr, time::Duration};
use std::{
    ffi::OsStr,
    fs::OpenOptions,
    os::unix::ffi::OsStrExt,
    process::Stdio,
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
    http::{HeaderMap, StatusCode, Uri, header::LOCATION},
    response::IntoResponse,
    routing::any,
};
use scrupp_verify_tests::{
    Connection, Delivery, Postgres, Program, Redis, RedisCluster, SECRET, Step, free_port, signed,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
    time::{sleep, timeout},
};

/// Stand-in for an automation tool that responds to every request with a status.
#[derive(Clone)]
struct Target {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    response: Arc<Mutex<(u16, Duration)>>,
}

type Seen = (Uri, HeaderMap, Bytes);

const PROGRAM: &str = env!("CARGO_BIN_EXE_scrupp-verify");

/// Arguments of every gateway.
const ARGUMENTS: [&str; 5] = [
    "gateway",
    "--bind",
    "127.0.0.1:0",
    "--forward-to-env",
    "FORWARD_TO",
];

/// Secret part of the target's URL.
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

    /// Sets the status and the delay of later responses.
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

/// Starts a gateway with a forward timeout of two seconds.
async fn start(url: &str) -> Program {
    start_with(url, &["--forward-timeout", "2s"], &[]).await
}

async fn start_with(url: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Program {
    let arguments = [&ARGUMENTS, arguments].concat();
    let settings = [&[("FORWARD_TO", url)], settings].concat();
    Program::start_with(PROGRAM, &arguments, &settings).await
}

/// Runs a gateway that fails to start. Returns the exit code and the error.
async fn error(arguments: &[&str], settings: &[(&str, &OsStr)]) -> (Option<i32>, String) {
    let target = [("FORWARD_TO", OsStr::new("http://127.0.0.1:9/"))];
    let arguments = [&ARGUMENTS, arguments].concat();
    let settings = [&target, settings].concat();
    let ended = Program::run(PROGRAM, &arguments, &settings);
    let ended = timeout(Duration::from_secs(20), ended).await;
    let ended = ended.expect("the gateway exits");
    assert!(ended.stdout.is_empty(), "the gateway listens");
    (
        ended.status.code(),
        String::from_utf8(ended.stderr).unwrap(),
    )
}

/// Waits for this many lines of the log, and returns them.
async fn log(gateway: &Program, expected: usize) -> Vec<String> {
    let begin = Instant::now();
    loop {
        let said = gateway.said();
        let lines: Vec<_> = said.lines().skip(1).map(str::to_owned).collect();
        if lines.len() >= expected {
            assert_eq!(lines.len(), expected, "{said}");
            assert!(!said.contains(TOKEN) && !said.contains(SECRET), "{said}");
            return lines;
        }
        assert!(begin.elapsed() < Duration::from_secs(5), "{said}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the target has received this many requests.
async fn wait_for(target: &Target, requests: usize) {
    let begin = Instant::now();
    while target.seen.lock().unwrap().len() < requests {
        assert!(begin.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(5)).await;
    }
}

/// Returns a URL on which nothing listens.
fn closed_url() -> String {
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
async fn forwards_body_type_and_encoding_unmodified() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    let bodies = [
        b"{ \"event\":\t\"task.completed\",\r\n\"process_id\":6666.0e0 }\n".to_vec(),
        b"".to_vec(),
        b"\xff\x00 no JSON".to_vec(),
        vec![b'a'; 256 * 1024],
    ];
    let types = [Some(("application/json; charset=utf-8", "gzip")), None];
    for (body, types) in bodies.iter().zip(types.iter().cycle()) {
        let mut delivery = signed(1);
        delivery.body.clone_from(body);
        delivery.sign();
        if let Some((content_type, encoding)) = types {
            delivery.set("Content-Type", content_type);
            delivery.set("Content-Encoding", encoding);
        }
        assert_eq!(send(&gateway, &delivery).await, 200);
        let [(uri, headers, seen)] = target.seen().try_into().unwrap();
        assert_eq!(uri.to_string(), format!("/catch/{TOKEN}/?source=scrupp"));
        assert!(seen == *body, "{} bytes", seen.len());
        let seen = |name| Some(headers.get(name)?.to_str().unwrap());
        assert_eq!(seen("Content-Type"), types.map(|types| types.0));
        assert_eq!(seen("Content-Encoding"), types.map(|types| types.1));
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
    assert_eq!(user_agent, format!("scrupp-verify-cli/{version}"));
}

#[tokio::test]
async fn forwards_only_verified_deliveries() {
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
async fn responds_with_the_target_status_and_follows_no_redirect() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    for (process_id, (status, response)) in (1..).zip([
        (200, 200),
        (202, 202),
        (400, 400),
        (401, 401),
        (410, 410),
        (429, 429),
        (500, 500),
        (503, 503),
        (101, 502),
        (302, 502),
        (304, 502),
        (307, 502),
    ]) {
        target.response(status, Duration::ZERO);
        let delivery = signed(process_id);
        assert_eq!(send(&gateway, &delivery).await, response, "{status}");
        let [(uri, ..)] = target.seen().try_into().unwrap();
        assert_ne!(uri, "/elsewhere");
        // Only a 2xx acknowledges the delivery.
        target.response(200, Duration::ZERO);
        assert_eq!(send(&gateway, &delivery).await, 200);
        assert_eq!(
            target.seen().len(),
            usize::from(!(200..300).contains(&status))
        );
    }
}

#[tokio::test]
async fn logs_one_line_per_delivery() {
    let target = Target::start().await;
    // SQLite logs slow statements.
    let arguments = ["--store", "memory:", "--forward-timeout", "2s"];
    let gateway = start_with(&target.url(), &arguments, &[]).await;
    let mut forged = signed(1);
    forged.sign_with("guessed", forged.now);
    assert_eq!(send(&gateway, &forged).await, 401);
    for (process_id, status) in (2..).zip([200, 429, 302]) {
        target.response(status, Duration::ZERO);
        send(&gateway, &signed(process_id)).await;
    }
    target.response(200, Duration::from_secs(60));
    assert_eq!(send(&gateway, &signed(5)).await, 504);
    assert_eq!(send(&gateway, &signed(2)).await, 200);
    let lines = log(&gateway, 6).await;
    let expected = [
        &["signature_mismatch"][..],
        &[r#"outcome="handled" status=200"#],
        &[r#"outcome="failed" status=429"#, " delivery_id="],
        &[
            r#"outcome="failed" status=502"#,
            r#"cause="the target responded with 302 Found""#,
        ],
        &[r#"outcome="failed" status=504"#, r#"cause=""#, "timed out"],
        &[r#"outcome="duplicate""#],
    ];
    for (line, texts) in lines.iter().zip(expected) {
        for text in texts {
            assert!(line.contains(text), "{text}: {line}");
        }
    }

    let without_target = start(&closed_url()).await;
    assert_eq!(send(&without_target, &signed(1)).await, 502);
    let [line] = log(&without_target, 1).await.try_into().unwrap();
    assert!(
        line.contains("status=502") && line.contains("Connection refused"),
        "{line}"
    );
}

#[tokio::test]
async fn forwards_until_the_target_acknowledges() {
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
    // A killed gateway remembers acknowledged deliveries.
    let gateway = gateway
        .restart(PROGRAM, &[("FORWARD_TO", target.url())])
        .await;
    assert_eq!(send(&gateway, &delivery).await, 200);
    assert!(target.seen().is_empty());
}

#[tokio::test]
async fn forward_timeout_is_five_seconds_by_default() {
    let target = Target::start().await;
    let gateway = start_with(&target.url(), &[], &[]).await;
    target.response(200, Duration::from_secs(60));
    let begin = Instant::now();
    assert_eq!(send(&gateway, &signed(1)).await, 504);
    assert!((5..10).contains(&begin.elapsed().as_secs()));
    target.response(200, Duration::ZERO);
    assert_eq!(send(&gateway, &signed(1)).await, 200);
}

#[tokio::test]
async fn responds_after_client_half_closes() {
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
        wait_for(&target, 2).await;
        let (code, response) = tokio::join!(gateway.terminate(), connection.response());
        assert_eq!((code, response.unwrap().status), (Some(0), 200));
    }
}

#[tokio::test]
async fn commits_after_client_disconnects() {
    let target = Target::start().await;
    let gateway = start(&target.url()).await;
    for (process_id, is_reset) in (1..).zip([false, true]) {
        target.response(201, Duration::from_millis(1500));
        let delivery = signed(process_id);
        let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
        stream.write_all(&delivery.request()).await.unwrap();
        wait_for(&target, 1).await;
        if is_reset {
            stream.set_zero_linger().unwrap();
        }
        drop(stream);
        sleep(Duration::from_millis(200)).await;
        assert_eq!(send(&gateway, &delivery).await, 503, "in flight");
        sleep(Duration::from_secs(2)).await;
        // A 201 would mean that the delivery was forwarded again.
        assert_eq!(send(&gateway, &delivery).await, 200, "a duplicate");
        assert_eq!(target.seen().len(), 1);
    }
}

/// Starts a proxy that counts and closes connections.
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
async fn uses_a_proxy_only_for_remote_https_targets() {
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
        let gateway = start_with(&url, &[], &settings).await;
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
        let gateway = start_with(&url, &[], &settings).await;
        assert_eq!(send(&gateway, &signed(1)).await, 502, "{url}");
    }
    assert_eq!(connections.load(Relaxed), 0);
    let gateway = start_with("https://hook.invalid/", &[], &settings).await;
    assert_eq!(send(&gateway, &signed(1)).await, 502);
    assert_eq!(connections.load(Relaxed), 1);
}

/// File with an unrelated root certificate.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/root.pem");

#[tokio::test]
async fn needs_root_certificates_only_for_https_targets() {
    let target = Target::start().await;
    let no_roots = [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere")];
    let gateway = start_with(&target.url(), &[], &no_roots).await;
    assert_eq!(send(&gateway, &signed(1)).await, 200);

    let url = format!("https://hook.invalid/{TOKEN}");
    let settings = [("FORWARD_TO", &*url), no_roots[0], no_roots[1]];
    let settings = settings.map(|(name, value)| (name, OsStr::new(value)));
    let (code, errors) = error(&[], &settings).await;
    assert_eq!(code, Some(3), "{errors}");
    assert!(errors.starts_with("error: builder error: "), "{errors}");
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
async fn completes_received_requests_before_exit() {
    for (expected, is_interrupt) in [(0, false), (130, true)] {
        let target = Target::start().await;
        let mut gateway = start(&target.url()).await;
        target.response(200, Duration::from_millis(300));
        let mut connection = Connection::open(gateway.address()).await.unwrap();
        let request = Step::Send(signed(1).request());
        connection.send(&[request]).await.unwrap();
        wait_for(&target, 1).await;
        let ended = async {
            match is_interrupt {
                true => gateway.interrupt().await,
                false => gateway.terminate().await,
            }
        };
        let (code, response) = tokio::join!(ended, connection.response());
        assert_eq!((code, response.unwrap().status), (Some(expected), 200));
    }
}

#[tokio::test]
async fn error_names_the_invalid_setting() {
    let secret_url = format!("ftp://localhost/{TOKEN}");
    let forward_to = "error: --forward-to-env: ";
    let settings = [
        (
            "SCRUPP_WEBHOOK_SECRET",
            "",
            "SCRUPP_WEBHOOK_SECRET is not set\n",
        ),
        (
            "FORWARD_TO",
            "",
            "--forward-to-env: the variable is not set\n",
        ),
        (
            "FORWARD_TO",
            &secret_url,
            "the URL is neither http nor https\n",
        ),
        (
            "FORWARD_TO",
            TOKEN,
            "--forward-to-env: relative URL without a base\n",
        ),
        ("FORWARD_TO", "https://", "--forward-to-env: empty host\n"),
    ];
    for (name, value, message) in settings {
        let (code, errors) = error(&[], &[(name, OsStr::new(value))]).await;
        assert_eq!(code, Some(2), "{name}={value}: {errors}");
        assert!(errors.ends_with(message), "{name}={value}: {errors}");
        assert!(!errors.contains(TOKEN), "{errors}");
    }
    let not_utf8 = OsStr::from_bytes(b"http://127.0.0.1/s3cret-of-the-hook\xff");
    let (code, errors) = error(&[], &[("FORWARD_TO", not_utf8)]).await;
    assert_eq!(
        (code, &*errors),
        (Some(2), &*format!("{forward_to}the URL is not UTF-8\n"))
    );
    let busy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let busy = busy.local_addr().unwrap().to_string();
    for (option, code) in [("--metrics-bind", 3), ("--bind", 2)] {
        let (ended, errors) = error(&[option, &busy], &[]).await;
        assert_eq!(ended, Some(code), "{errors}");
    }
    for time in [
        "0s", "1ns", "99ms", "60s", "61s", "1h", "-1s", "soon", "5", "",
    ] {
        let (code, errors) = error(&["--forward-timeout", time], &[]).await;
        assert_eq!(code, Some(2), "{time}: {errors}");
    }
    let (code, errors) = error(&["--forward-to", &secret_url], &[]).await;
    assert_eq!(code, Some(2));
    assert!(!errors.contains(TOKEN), "{errors}");
}

#[tokio::test]
async fn timeout_is_from_100_ms_to_below_the_lease() {
    for time in ["100ms", "59s"] {
        start_with(&closed_url(), &["--forward-timeout", time], &[]).await;
    }
}

#[tokio::test]
async fn each_store_remembers_acknowledged_deliveries() {
    let target = Target::start().await;
    let postgres = Postgres::start().await;
    let redis = Redis::start(&["--requirepass", "pa55word"]);
    let cluster = tokio::task::spawn_blocking(RedisCluster::start)
        .await
        .unwrap();
    let nodes = cluster.urls().join(",").replace("redis://", "");
    for (url, remembers) in [
        ("memory:", false),
        ("sqlite:claims.db", true),
        ("sqlite://claims-2.db", true),
        (&postgres.url().replace("test@", "test:pa55word@"), true),
        (&format!("redis://:pa55word@{}", redis.address()), true),
        (&format!("redis+cluster://{nodes}"), true),
    ] {
        let settings = [("STORE_URL", url)];
        let gateway = start_with(&target.url(), &["--store-env", "STORE_URL"], &settings).await;
        let delivery = signed(1);
        assert_eq!(send(&gateway, &delivery).await, 200, "{url}");
        assert_eq!(send(&gateway, &delivery).await, 200, "{url}");
        assert_eq!(target.seen().len(), 1, "{url}");
        let settings = [("STORE_URL", url), ("FORWARD_TO", &target.url())];
        let gateway = gateway.restart(PROGRAM, &settings).await;
        assert_eq!(send(&gateway, &delivery).await, 200, "{url}");
        assert_eq!(target.seen().len(), usize::from(!remembers), "{url}");
        assert!(!gateway.said().contains("pa55word"), "{}", gateway.said());
    }
    let gateway = start_with(&target.url(), &["--store", "memory:"], &[]).await;
    assert_eq!(send(&gateway, &signed(1)).await, 200);
    assert_eq!(target.seen().len(), 1);
}

#[tokio::test]
async fn errors_contain_no_store_password() {
    let file = "expected the path of a file";
    for (url, code, message) in [
        ("", 2, "--store-env: the variable is not set"),
        ("nonsense", 2, "expected memory:, sqlite:"),
        (
            "mysql://root:pa55word@db/crm",
            2,
            "expected memory:, sqlite:",
        ),
        ("sqlite:", 2, file),
        ("sqlite::memory:", 2, file),
        ("sqlite:deliveries.db?mode=ro", 2, file),
        (
            "sqlite:/nowhere/deliveries.db",
            3,
            "the database cannot be reached: ",
        ),
        (
            "postgres://crm:pa55word@db:http/crm",
            2,
            "invalid port number",
        ),
        ("postgres://crm:1?pa55word@db/crm", 2, "percent-encode"),
        (
            "postgres://crm:a@127.0.0.1:1/crm?pass=pa55word",
            3,
            "Connection refused",
        ),
        ("redis://:1#pa55word@db", 2, "percent-encode"),
        ("redis+cluster://:pa55word@", 2, "the host is missing"),
    ] {
        let settings = [("STORE_URL", OsStr::new(url))];
        let (ended, errors) = error(&["--store-env", "STORE_URL"], &settings).await;
        assert_eq!(ended, Some(code), "{url}: {errors}");
        assert!(errors.contains(message), "{url}: {errors}");
        assert!(!errors.contains("pa55word"), "{url}: {errors}");
    }
    for url in [
        "redis://:pa55word@db",
        "postgres://db/crm?password=pa55word",
    ] {
        let (code, errors) = error(&["--store", url], &[]).await;
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains("use --store-env"), "{errors}");
        assert!(!errors.contains("pa55word"), "{errors}");
    }
}

#[tokio::test]
async fn does_not_start_with_a_redis_that_rejects_it() {
    let redis = Redis::start(&["--requirepass", "pa55word"]);
    let address = redis.address();
    for (url, message) in [
        (
            format!("redis://:pa55word@{address}/99"),
            "the database does not exist",
        ),
        (
            format!("redis://:wr0ng@{address}"),
            "Redis rejected the credentials",
        ),
        (
            format!("redis+cluster://:pa55word@{address}"),
            "the server is not a node of a Redis Cluster",
        ),
    ] {
        let settings = [("STORE_URL", OsStr::new(&url))];
        let (code, errors) = error(&["--store-env", "STORE_URL"], &settings).await;
        assert_eq!(code, Some(3), "{url}: {errors}");
        assert!(errors.starts_with("error: store: "), "{url}: {errors}");
        assert!(errors.contains(message), "{url}: {errors}");
        assert!(!errors.contains("pa55word"), "{url}: {errors}");
    }
}

#[tokio::test]
async fn responds_503_while_its_store_is_unavailable() {
    let target = Target::start().await;
    let gateway = start_with(&target.url(), &["--store", "redis://127.0.0.1:1"], &[]).await;
    assert_eq!(send(&gateway, &signed(1)).await, 503);
    assert!(target.seen().is_empty());
}

#[tokio::test]
async fn serves_metrics_at_a_separate_address() {
    let target = Target::start().await;
    let metrics = format!("127.0.0.1:{}", free_port());
    let gateway = start_with(&target.url(), &["--metrics-bind", &metrics], &[]).await;
    assert_eq!(send(&gateway, &signed(1)).await, 200);
    let mut connection = Connection::open(metrics.parse().unwrap()).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    connection
        .send(&[Step::Send(request.into())])
        .await
        .unwrap();
    let metrics = String::from_utf8(connection.response().await.unwrap().body).unwrap();
    let handled = r#"scrupp_verify_deliveries_total{outcome="handled",reason="none"} 1"#;
    assert!(metrics.contains(handled), "{metrics}");
    assert!(
        metrics.contains("scrupp_verify_handler_seconds_bucket"),
        "{metrics}"
    );
    assert!(!metrics.contains(TOKEN), "{metrics}");
    assert_eq!(gateway.get("/metrics").await.status, 404);
    assert_eq!(gateway.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn prints_json_and_ignores_log_errors() {
    let target = Target::start().await;
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let more = ["--format", "json", "--store", "memory:"];
    let mut gateway = Command::new(PROGRAM)
        .args([&ARGUMENTS[..], &more].concat())
        .env("SCRUPP_WEBHOOK_SECRET", SECRET)
        .env("FORWARD_TO", target.url())
        .stdout(Stdio::piped())
        .stderr(full)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(gateway.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = line["listening"].as_str().unwrap().strip_prefix("http://");
    let mut connection = Connection::open(address.unwrap().parse().unwrap())
        .await
        .unwrap();
    let request = Step::Send(signed(1).request());
    connection.send(&[request]).await.unwrap();
    assert_eq!(connection.response().await.unwrap().status, 200);
}

#[tokio::test]
async fn rejects_large_heads_with_431() {
    let gateway = start(&closed_url()).await;
    for (bytes, expected) in [(8 * 1024, 502), (32 * 1024, 431)] {
        let mut delivery = signed(1);
        delivery.set("X-Long", &"a".repeat(bytes));
        assert_eq!(send(&gateway, &delivery).await, expected, "{bytes}");
    }
}

//! The behavior of the examples that operators depend on: settings, start, log and shutdown.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../examples/axum/src/errors.rs"]
#[expect(dead_code, reason = "the tests use only a part")]
mod errors;

use core::{error::Error, fmt, time::Duration};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    net::{IpAddr, Ipv4Addr, TcpListener},
    os::unix::ffi::OsStrExt,
};

use scrupp_verify_tests::{
    Connection, PREVIOUS_SECRET, Postgres, Program, SECRET, SIGNATURE, Step, free_port, path,
    signed,
};
use tokio::time::{sleep, timeout};

const EXAMPLES: [&str; 8] = [
    "example-axum",
    "example-actix",
    "example-warp",
    "example-hyper",
    "example-custom",
    "example-rocket",
    "example-poem",
    "example-salvo",
];

/// Runs an example with invalid settings, and returns its error: the last line of its output.
async fn error(example: &str, settings: &[(&str, &OsStr)]) -> String {
    let ended = Program::run(example, &[], settings).await;
    let said = String::from_utf8(ended.stderr).unwrap();
    let label = format!("{example}, {settings:?}: {said}");
    assert_eq!(ended.status.code(), Some(2), "{label}");
    assert!(ended.stdout.is_empty(), "{label}: the example listens");
    assert!(!said.contains(SECRET), "{label}");
    said.lines()
        .last()
        .map(|error| format!("{error}\n"))
        .unwrap()
}

#[tokio::test]
async fn invalid_settings_are_named_and_nothing_starts() {
    let not_set = "SCRUPP_WEBHOOK_SECRET is not set\n";
    let wrong = [
        ("SCRUPP_WEBHOOK_SECRET", &b""[..], not_set),
        (
            "SCRUPP_WEBHOOK_SECRET",
            b" topsecret",
            "SCRUPP_WEBHOOK_SECRET: ",
        ),
        (
            "SCRUPP_WEBHOOK_SECRET_PREVIOUS",
            b"topsecret ",
            "SCRUPP_WEBHOOK_SECRET_PREVIOUS: ",
        ),
        ("BIND", b"nonsense", "BIND=nonsense: "),
        ("BIND", b"192.0.2.1:80", "BIND=192.0.2.1:80: "),
        ("BIND", b"\xff", "BIND: not UTF-8\n"),
        ("BIND", b"127.0.0.1:65536", "BIND=127.0.0.1:65536: "),
    ];
    for example in EXAMPLES {
        for (name, value, message) in wrong {
            let value = OsStr::from_bytes(value);
            let said = error(example, &[(name, value)]).await;
            assert!(said.starts_with(message), "{example}: {said}");
        }
        for port in [
            &b"http"[..],
            b"65536",
            b"-1",
            b"80 ",
            b"1.5",
            b"localhost:80",
        ] {
            let settings = [("BIND", OsStr::new("")), ("PORT", OsStr::from_bytes(port))];
            let said = error(example, &settings).await;
            let message = format!("PORT={}: ", String::from_utf8_lossy(port));
            assert!(said.starts_with(&message), "{example}: {said}");
        }
    }
}

#[tokio::test]
async fn invalid_redis_url_is_named() {
    for (value, message) in [
        (&b"nonsense"[..], "REDIS_URL: "),
        (b"\xff", "REDIS_URL: not UTF-8\n"),
    ] {
        let said = error("example-axum", &[("REDIS_URL", OsStr::from_bytes(value))]).await;
        assert!(said.starts_with(message), "{said}");
    }
}

#[tokio::test]
async fn empty_optional_setting_counts_as_unset() {
    let empty = [
        ("SCRUPP_WEBHOOK_SECRET_PREVIOUS", ""),
        ("PORT", ""),
        ("REDIS_URL", ""),
    ];
    for example in EXAMPLES {
        let program = Program::start(example, &empty).await;
        assert_eq!(send(&program, SECRET, 1).await, 200, "{example}");
        assert_eq!(send(&program, PREVIOUS_SECRET, 2).await, 401, "{example}");
    }
}

#[tokio::test]
async fn secret_may_be_any_bytes() {
    let mut delivery = signed(1);
    delivery.sign_with("\u{fc}ml\u{e4}ut", delivery.now);
    let secret = OsStr::from_bytes(b"\xc3\xbcml\xc3\xa4ut");
    let binary = OsStr::from_bytes(b"\xff\xfe");
    let settings = [
        ("SCRUPP_WEBHOOK_SECRET", binary),
        ("SCRUPP_WEBHOOK_SECRET_PREVIOUS", secret),
    ];
    for example in EXAMPLES {
        let program = Program::start(example, &settings).await;
        let mut connection = Connection::open(program.address()).await.unwrap();
        let request = Step::Send(delivery.request());
        connection.send(&[request]).await.unwrap();
        assert_eq!(
            connection.response().await.unwrap().status,
            200,
            "{example}"
        );
    }
}

#[tokio::test]
async fn listens_on_all_interfaces_at_port_unless_bind_is_set() {
    for example in EXAMPLES {
        let port = free_port().to_string();
        let program = Program::start(example, &[("BIND", ""), ("PORT", &port)]).await;
        let address = program.address();
        assert_eq!(address.ip(), IpAddr::V4(Ipv4Addr::UNSPECIFIED), "{example}");
        assert_eq!(address.port().to_string(), port, "{example}");
        assert_eq!(program.get("/healthz").await.status, 200, "{example}");

        let settings = [("BIND", "127.0.0.1:0"), ("PORT", "not a port")];
        let program = Program::start(example, &settings).await;
        assert_eq!(
            program.address().ip(),
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            "{example}"
        );
    }
}

#[tokio::test]
async fn default_address_is_port_3000_of_127_0_0_1() {
    // Fails if another program listens on the port, because the examples then report the same
    // error.
    let _taken = TcpListener::bind("127.0.0.1:3000");
    let settings = [("BIND", OsStr::new("")), ("PORT", OsStr::new(""))];
    for example in EXAMPLES {
        let said = error(example, &settings).await;
        assert!(said.starts_with("BIND=127.0.0.1:3000: "), "{said}");
    }
}

#[tokio::test]
async fn metrics_are_served_at_a_separate_address() {
    for example in ["example-axum", "example-actix"] {
        let port = free_port();
        let bind = format!("127.0.0.1:{port}");
        let settings = [
            ("METRICS_BIND", OsStr::new(&bind)),
            ("STORE_URL", OsStr::new("memory:")),
        ];
        let program = Program::start(example, &settings).await;
        assert_eq!(program.deliver(&signed(1)).await, 200);
        assert_eq!(program.get("/metrics").await.status, 404, "{example}");

        let address = (Ipv4Addr::LOCALHOST, port).into();
        let mut connection = Connection::open(address).await.unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let request = Step::Send(request.to_vec());
        connection.send(&[request]).await.unwrap();
        let metrics = connection.response().await.unwrap().body;
        let metrics = String::from_utf8(metrics).unwrap();
        let handled = "scrupp_verify_deliveries_total{outcome=\"handled\",reason=\"none\"} 1";
        let handler = "scrupp_verify_handler_seconds_bucket{le=\"60\"} 1";
        for line in [handled, handler] {
            assert!(metrics.contains(line), "{example}: {metrics}");
        }

        let said = error(example, &settings).await;
        assert!(
            said.starts_with(&format!("METRICS_BIND={bind}: ")),
            "{said}"
        );
        let settings = [
            ("METRICS_BIND", OsStr::new("localhost")),
            ("STORE_URL", OsStr::new("memory:")),
        ];
        let said = error(example, &settings).await;
        let expected = "METRICS_BIND=localhost: expected an IP address and a port\n";
        assert_eq!(said, expected, "{example}");
    }
}

/// Sends a delivery that is signed with this secret.
async fn send(program: &Program, secret: &str, process_id: u64) -> u16 {
    let mut delivery = signed(process_id);
    delivery.sign_with(secret, delivery.now);
    program.deliver(&delivery).await
}

#[tokio::test]
async fn verified_delivery_that_is_not_an_event_is_rejected_with_its_id_in_the_log() {
    // In the examples for axum and actix-web, the extractors log the error.
    for example in [
        "example-warp",
        "example-hyper",
        "example-custom",
        "example-rocket",
        "example-poem",
        "example-salvo",
    ] {
        let none: [(&str, &str); 0] = [];
        let program = Program::start(example, &none).await;
        let mut delivery = signed(1);
        delivery.body = b"not an event".to_vec();
        delivery.sign();
        let mut connection = Connection::open(program.address()).await.unwrap();
        let request = Step::Send(delivery.request());
        connection.send(&[request]).await.unwrap();
        assert_eq!(
            connection.response().await.unwrap().status,
            422,
            "{example}"
        );
        let line = log_line(&program, "a verified delivery is not an event").await;
        assert!(
            line.contains(" WARN ") && line.contains("delivery_id="),
            "{example}: {line}"
        );
        assert!(!line.contains("not an event\""), "{example}: {line}");
    }
}

#[tokio::test]
async fn custom_server_logs_the_reason_for_each_rejection() {
    let none: [(&str, &str); 0] = [];
    let program = Program::start("example-custom", &none).await;
    let mut stale = signed(1);
    stale.sign_with(SECRET, stale.now - 301);
    let mut unsigned = signed(2);
    unsigned.headers.clear();
    for (delivery, kind) in [(stale, "too_old"), (unsigned, "missing_signature")] {
        let mut connection = Connection::open(program.address()).await.unwrap();
        let request = Step::Send(delivery.request());
        connection.send(&[request]).await.unwrap();
        assert_eq!(connection.response().await.unwrap().status, 401, "{kind}");
        let line = log_line(&program, kind).await;
        assert!(line.contains(" WARN "), "{line}");
    }
}

#[tokio::test]
async fn rocket_ignores_header_values_that_are_not_utf_8() {
    let none: [(&str, &str); 0] = [];
    let program = Program::start("example-rocket", &none).await;
    let delivery = signed(1);
    let mut unsigned = delivery.clone();
    unsigned.remove(SIGNATURE);
    for (delivery, status) in [(unsigned, 401), (delivery, 200)] {
        let request = delivery.request();
        let line = request.windows(2).position(|end| end == b"\r\n").unwrap();
        let (line, rest) = request.split_at(line);
        let request = [line, b"\r\nX-Scrupp-Signature: \xff", rest].concat();
        let mut connection = Connection::open(program.address()).await.unwrap();
        connection.send(&[Step::Send(request)]).await.unwrap();
        assert_eq!(connection.response().await.unwrap().status, status);
    }
}

#[tokio::test]
async fn rocket_calls_no_guard_before_14_bytes_of_a_body() {
    let none: [(&str, &str); 0] = [];
    let program = Program::start("example-rocket", &none).await;
    let mut unsigned = signed(1);
    unsigned.headers.clear();
    let begun = [unsigned.head("Content-Length: 14"), vec![b'x'; 13]].concat();
    let mut connection = Connection::open(program.address()).await.unwrap();
    connection.send(&[Step::Send(begun)]).await.unwrap();
    let early = timeout(Duration::from_secs(1), connection.response()).await;
    assert!(early.is_err(), "{early:?}");
    connection.send(&[Step::Send(b"x".to_vec())]).await.unwrap();
    assert_eq!(connection.response().await.unwrap().status, 401);
}

/// Waits for a line of a program's output that contains a text.
async fn log_line(program: &Program, text: &str) -> String {
    for _ in 0..100 {
        if let Some(line) = program.said().lines().find(|line| line.contains(text)) {
            return line.to_owned();
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("no line contains {text}: {}", program.said());
}

#[tokio::test]
async fn health_checks_need_no_signature_and_sigterm_exits_cleanly() {
    let none: [(&str, &str); 0] = [];
    for example in EXAMPLES {
        let mut program = Program::start(example, &none).await;
        assert_eq!(program.get("/healthz").await.status, 200, "{example}");
        let deliveries = program.get("/deliveries").await;
        assert_eq!(
            (deliveries.status, &*deliveries.body),
            (200, &b"[]"[..]),
            "{example}"
        );
        assert_eq!(program.terminate().await, Some(0), "{example}");
    }
}

#[tokio::test]
async fn transaction_rejects_other_databases() {
    let url = [("DATABASE_URL", "mysql://127.0.0.1/tasks")];
    let ended = Program::run("example-transaction", &[], &url).await;
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.starts_with("DATABASE_URL: expected a URL"), "{said}");
}

#[tokio::test]
async fn transaction_rejects_a_url_that_is_not_utf8() {
    let url = [("DATABASE_URL", OsStr::from_bytes(b"\xff"))];
    let ended = Program::run("example-transaction", &[], &url).await;
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(said, "DATABASE_URL: not UTF-8\n");
}

#[tokio::test]
async fn transaction_names_a_refused_connection() {
    let url = [("DATABASE_URL", "postgres://127.0.0.1:1/x")];
    let ended = Program::run("example-transaction", &[], &url).await;
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.starts_with("the database cannot be reached: "),
        "{said}"
    );
    assert!(said.contains("Connection refused"), "{said}");
}

#[tokio::test]
async fn transaction_has_each_effect_once_in_sqlite_and_postgres() {
    let postgres = Postgres::start().await;
    for url in ["", &postgres.url()] {
        let ended = Program::run("example-transaction", &[], &[("DATABASE_URL", url)]).await;
        let said = String::from_utf8(ended.stdout).unwrap();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<_> = said.lines().map(words).collect();
        let expected = [
            "delivery expected status handler tasks",
            "✓ genuine 200 200 ran 1",
            "✓ retry after a restart 200 200 did not run 1",
            "✓ transaction rolled back 503 503 ran 0",
            "✓ and its retry 200 200 ran 1",
            "✓ retry while the first attempt exceeds its lease 200 200 ran 1",
            "✓ first attempt, tries to commit after its lease 503 503 ran 1",
            "✓ and another retry 200 200 did not run 1",
            "",
            "all as expected",
        ];
        assert_eq!(lines, expected, "{url}");
        assert_eq!(ended.status.code(), Some(0), "{url}");
    }
}

#[tokio::test]
async fn unwritable_log_affects_no_delivery() {
    for example in EXAMPLES {
        let command = format!("exec {} 2>/dev/full", path(example).display());
        let settings = [("STORE_URL", "memory:")];
        let program = Program::start_with("/bin/sh", &["-c", &command], &settings).await;
        let mut forged = signed(1);
        forged.sign_with("another", forged.now);
        assert_eq!(program.deliver(&forged).await, 401, "{example}");
        assert_eq!(program.deliver(&signed(1)).await, 200, "{example}");
        assert_eq!(program.deliver(&signed(1)).await, 200, "{example}");
        let handled = program.get("/deliveries").await.body;
        let handled: Vec<serde_json::Value> = serde_json::from_slice(&handled).unwrap();
        assert_eq!(handled.len(), 1, "{example}");
    }
}

/// Files that several examples have copies of, so that each example is complete on its own.
const COPIES: [&str; 7] = [
    "deliveries.rs",
    "environment.rs",
    "errors.rs",
    "metrics.rs",
    "pages.rs",
    "secrets.rs",
    "serve.rs",
];

#[test]
fn copies_of_a_file_are_equal() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let mut copies = BTreeMap::<_, Vec<_>>::new();
    for example in fs::read_dir(examples).unwrap() {
        let source = example.unwrap().path().join("src");
        for file in COPIES {
            if let Ok(text) = fs::read_to_string(source.join(file)) {
                copies.entry(file).or_default().push((source.clone(), text));
            }
        }
    }
    assert_eq!(copies.len(), COPIES.len(), "a file has no copy");
    for (file, copies) in copies {
        let ((first, text), others) = copies.split_first().unwrap();
        assert!(
            !others.is_empty(),
            "{file}: the only copy is in {}",
            first.display()
        );
        for (other, copy) in others {
            let (first, other) = (first.display(), other.display());
            assert!(copy == text, "{file} differs in {first} and in {other}");
        }
    }
}

#[derive(Debug)]
struct Failure(&'static str, Option<Box<Self>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

#[test]
fn error_names_each_cause_once() {
    let disk = Failure("disk full", None);
    let commit = Failure("cannot commit: disk full", Some(Box::new(disk)));
    let delivery = Failure("not stored", Some(Box::new(commit)));
    assert_eq!(
        errors::with_causes(&delivery),
        "not stored: cannot commit: disk full"
    );
}

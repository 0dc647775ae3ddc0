//! The example servers with clients that close early, slow handlers, and unusual request targets.

#[path = "../../../examples/axum/src/serve.rs"]
#[expect(dead_code, reason = "the tests stop a server without a signal")]
mod serve;

use core::{
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};
use std::{io, process::Command, sync::Arc, time::Instant};

use actix_web::{App, HttpResponse, HttpServer};
use axum::{Router, routing::post};
use bytes::Bytes;
use example_custom::Receiver;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::service::TowerToHyperService;
use scrupp_verify_core::{Keyring, Secret, Verifier, dedup::MemoryStore};
use scrupp_verify_tests::{Connection, Delivery, Program, SECRET, Step, signed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tower::{Layer, ServiceExt};
use warp::Filter;

const EXAMPLES: [&str; 9] = [
    "example-axum",
    "example-actix",
    "example-warp",
    "example-hyper",
    "example-custom",
    "example-poem",
    "example-salvo",
    "example-rotation",
    "scrupp-verify",
];

/// Examples without a page that lists deliveries.
const WITHOUT_LIST: [&str; 2] = ["example-rotation", "scrupp-verify"];

/// Time that the handlers of [`Slow`] take.
const HANDLING: Duration = Duration::from_secs(1);

/// Starts an example, or the gateway of `scrupp-verify` in front of a target that accepts
/// everything. The rotation example reads its secrets from a file.
async fn start(example: &str) -> Program {
    let app = Router::new().fallback(|| async {});
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    let secrets = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/field/secrets.txt");
    let settings = [("FORWARD_TO", &*target), ("SCRUPP_SECRETS_FILE", secrets)];
    // The examples ignore arguments.
    let gateway = "gateway --bind 127.0.0.1:0 --forward-to-env FORWARD_TO";
    let arguments: Vec<_> = gateway.split(' ').collect();
    Program::start_with(example, &arguments, &settings).await
}

async fn status(address: SocketAddr, steps: &[Step]) -> io::Result<u16> {
    let mut connection = Connection::open(address).await?;
    connection.send(steps).await?;
    Ok(connection.response().await?.status)
}

#[tokio::test]
async fn half_closed_client_gets_response() {
    for example in EXAMPLES {
        let program = start(example).await;
        let mut process_id = 0;
        let mut check = async |label: &str, length, request: fn(&Delivery) -> Vec<u8>, pause| {
            process_id += 1;
            let mut delivery = signed(process_id);
            delivery.pad_to(length);
            let steps = [
                Step::Send(request(&delivery)),
                Step::Wait(Duration::from_millis(pause)),
                Step::Finish,
            ];
            let status = status(program.address(), &steps).await;
            let label = format!("{example}, {label}, {length} bytes, {pause} ms");
            assert_eq!(status.ok(), Some(200), "{label}");
        };
        for pause in [0, 50] {
            for length in [100, 20_000, 256 * 1024] {
                check("with Content-Length", length, Delivery::request, pause).await;
                check(
                    "in chunks",
                    length,
                    |delivery| delivery.chunked(1000),
                    pause,
                )
                .await;
                check("Connection: close", length, closing, pause).await;
            }
        }
    }
}

fn closing(delivery: &Delivery) -> Vec<u8> {
    let framing = format!(
        "Connection: close\r\nContent-Length: {}",
        delivery.body.len()
    );
    [delivery.head(&framing), delivery.body.clone()].concat()
}

#[tokio::test]
async fn half_closed_client_gets_response_after_100_continue() {
    for example in EXAMPLES {
        let program = start(example).await;
        let delivery = signed(1);
        let framing = format!(
            "Expect: 100-continue\r\nContent-Length: {}",
            delivery.body.len()
        );
        let steps = [
            Step::Send(delivery.head(&framing)),
            Step::AwaitContinue,
            Step::Send(delivery.body.clone()),
            Step::Finish,
        ];
        let status = status(program.address(), &steps).await;
        assert_eq!(status.ok(), Some(200), "{example}");
    }
}

#[tokio::test]
async fn connection_without_a_complete_request_ends_when_the_client_closes_it() {
    let delivery = signed(1);
    let half = delivery.request();
    for example in EXAMPLES {
        let program = start(example).await;
        for sent in [
            &b""[..],
            b"P",
            b"PRI * HTTP/2.0\r\n",
            b"POST /webhooks/scrupp HT",
            &half[..half.len() - 1],
        ] {
            let begin = Instant::now();
            let mut stream = TcpStream::connect(program.address()).await.unwrap();
            stream.write_all(sent).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut received = Vec::new();
            let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut received)).await;
            let label = format!("{example}, {}", sent.escape_ascii());
            assert!(read.is_ok(), "{label}: the connection stays open");
            assert!(begin.elapsed() < Duration::from_secs(5), "{label}");
            assert!(!received.starts_with(b"HTTP/1.1 200"), "{label}");
        }
    }
}

/// A server like that of an example, with a handler that takes a second.
struct Slow {
    name: &'static str,
    address: SocketAddr,
    handler: Handler,
}

/// Counts the runs of a handler that began and that completed.
#[derive(Clone, Default)]
struct Handler(Arc<(AtomicUsize, AtomicUsize)>);

impl Handler {
    async fn handle(self) -> StatusCode {
        self.0.0.fetch_add(1, Relaxed);
        sleep(HANDLING).await;
        self.0.1.fetch_add(1, Relaxed);
        StatusCode::OK
    }

    fn counts(&self) -> (usize, usize) {
        (self.0.0.load(Relaxed), self.0.1.load(Relaxed))
    }
}

fn keyring() -> Keyring {
    Secret::new(SECRET).unwrap().into()
}

fn tower() -> scrupp_verify_tower::ScruppVerify {
    scrupp_verify_tower::ScruppVerify::new(keyring()).dedup(MemoryStore::default())
}

impl Slow {
    async fn all() -> Vec<Self> {
        vec![
            Self::axum().await,
            Self::actix().await,
            Self::warp().await,
            Self::hyper().await,
            Self::custom().await,
        ]
    }

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    async fn axum() -> Self {
        let (handler, (listener, address)) = (Handler::default(), Self::listen().await);
        let handle = {
            let handler = handler.clone();
            move || handler.handle()
        };
        let app = Router::new().route("/webhooks/scrupp", post(handle).layer(tower()));
        let service = TowerToHyperService::new(app.with_state(()));
        tokio::spawn(serve::serve(listener, service, pending()));
        Self {
            name: "axum",
            address,
            handler,
        }
    }

    async fn actix() -> Self {
        let (handler, (listener, address)) = (Handler::default(), Self::listen().await);
        let verify =
            scrupp_verify_actix::ScruppVerify::new(keyring()).dedup(MemoryStore::default());
        let listener = listener.into_std().unwrap();
        let served = handler.clone();
        let app = move || {
            let handler = served.clone();
            let handle = move || {
                let handler = handler.clone();
                async move {
                    HttpResponse::build(
                        actix_web::http::StatusCode::from_u16(handler.handle().await.as_u16())
                            .unwrap(),
                    )
                    .finish()
                }
            };
            let webhook = actix_web::web::resource("/webhooks/scrupp").wrap(verify.clone());
            App::new().service(webhook.route(actix_web::web::post().to(handle)))
        };
        std::thread::spawn(move || {
            let server = HttpServer::new(app).workers(1).disable_signals();
            actix_web::rt::System::new().block_on(server.listen_auto_h2c(listener)?.run())
        });
        Self {
            name: "actix",
            address,
            handler,
        }
    }

    async fn warp() -> Self {
        let (handler, (listener, address)) = (Handler::default(), Self::listen().await);
        let served = handler.clone();
        let webhook = warp::path!("webhooks" / "scrupp").and(warp::post());
        let webhook = webhook.then(move || served.clone().handle());
        let webhook = tower().layer(warp::service(webhook));
        let service =
            service_fn(move |request: Request<Incoming>| webhook.clone().oneshot(request));
        tokio::spawn(serve::serve(listener, service, pending()));
        Self {
            name: "warp",
            address,
            handler,
        }
    }

    async fn hyper() -> Self {
        let (handler, (listener, address)) = (Handler::default(), Self::listen().await);
        let served = handler.clone();
        let webhook = tower::service_fn(move |_| {
            let handled = served.clone().handle();
            async move {
                let mut response = Response::new(Full::<Bytes>::default());
                *response.status_mut() = handled.await;
                Ok::<_, Infallible>(response)
            }
        });
        let webhook = tower().layer(webhook);
        let service =
            service_fn(move |request: Request<Incoming>| webhook.clone().oneshot(request));
        tokio::spawn(serve::serve(listener, service, pending()));
        Self {
            name: "hyper",
            address,
            handler,
        }
    }

    async fn custom() -> Self {
        let (handler, (listener, address)) = (Handler::default(), Self::listen().await);
        let served = handler.clone();
        let receiver = Receiver::new(Verifier::new(keyring()), move |_| served.clone().handle());
        let receiver = Arc::new(receiver);
        let service = service_fn(move |request| {
            let receiver = Arc::clone(&receiver);
            async move { receiver.respond(request).await }
        });
        tokio::spawn(serve::serve(listener, service, pending()));
        Self {
            name: "custom",
            address,
            handler,
        }
    }

    /// Waits until the handler has begun.
    async fn begun(&self) {
        let begin = Instant::now();
        while self.handler.counts().0 == 0 {
            assert!(begin.elapsed() < Duration::from_secs(10), "{}", self.name);
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn deliver(&self, delivery: &Delivery) -> Option<u16> {
        let request = Step::Send(delivery.request());
        status(self.address, &[request]).await.ok()
    }
}

#[tokio::test]
async fn handler_completes_after_client_half_closes() {
    for slow in Slow::all().await {
        for (process_id, pause) in (1..).zip([0, 300]) {
            let delivery = signed(process_id);
            let steps = [
                Step::Send(delivery.request()),
                Step::Wait(Duration::from_millis(pause)),
                Step::Finish,
            ];
            let status = status(slow.address, &steps).await;
            assert_eq!(status.ok(), Some(200), "{}, {pause} ms", slow.name);
            // The claim is committed, so the next attempt is a duplicate.
            assert_eq!(slow.deliver(&delivery).await, Some(200), "{}", slow.name);
            let handled = process_id as usize;
            assert_eq!(slow.handler.counts(), (handled, handled), "{}", slow.name);
        }
    }
}

#[tokio::test]
async fn handler_is_dropped_after_client_resets_the_connection() {
    for slow in Slow::all().await {
        let delivery = signed(1);
        let mut stream = TcpStream::connect(slow.address).await.unwrap();
        stream.write_all(&delivery.request()).await.unwrap();
        slow.begun().await;
        reset(stream);
        assert_next_attempt_runs(&slow, &delivery).await;
    }
}

#[tokio::test]
async fn handler_is_dropped_after_half_closed_client_resets_the_connection() {
    for slow in Slow::all().await {
        // actix-web reads nothing after a FIN.
        if slow.name == "actix" {
            continue;
        }
        let delivery = signed(1);
        let mut stream = TcpStream::connect(slow.address).await.unwrap();
        stream.write_all(&delivery.request()).await.unwrap();
        stream.shutdown().await.unwrap();
        slow.begun().await;
        reset(stream);
        assert_next_attempt_runs(&slow, &delivery).await;
    }
}

/// Closes a connection with a RST.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

/// Asserts that the running handler is dropped, and that its claim is released.
async fn assert_next_attempt_runs(slow: &Slow, delivery: &Delivery) {
    sleep(HANDLING + HANDLING / 2).await;
    assert_eq!(slow.handler.counts(), (1, 0), "{}", slow.name);
    assert_eq!(slow.deliver(delivery).await, Some(200), "{}", slow.name);
    assert_eq!(slow.handler.counts(), (2, 1), "{}", slow.name);
}

/// The target of a reset by an HTTP/2 client while the handler runs.
#[derive(Clone, Copy, Debug)]
enum Ended {
    Stream,
    Connection,
}

#[tokio::test]
async fn handler_is_dropped_after_rst_stream() {
    handler_is_dropped_over_http2(Ended::Stream).await;
}

#[tokio::test]
async fn handler_is_dropped_after_http2_connection_is_reset() {
    handler_is_dropped_over_http2(Ended::Connection).await;
}

async fn handler_is_dropped_over_http2(ended: Ended) {
    for slow in Slow::all().await {
        let delivery = signed(1);
        let stream = TcpStream::connect(slow.address).await.unwrap();
        stream.set_zero_linger().unwrap();
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut request = Request::post("http://localhost/webhooks/scrupp");
        for (name, value) in &delivery.headers {
            request = request.header(*name, value);
        }
        let mut requests = requests.ready().await.unwrap();
        let (_response, mut stream) = requests
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        let body = delivery.body.clone().into();
        stream.send_data(body, true).unwrap();
        slow.begun().await;
        match ended {
            Ended::Stream => stream.send_reset(h2::Reason::CANCEL),
            Ended::Connection => connection.abort(),
        }
        if slow.name == "actix" {
            // actix-web detects the reset only when it sends the response, so the handler
            // completes.
            sleep(HANDLING + HANDLING / 2).await;
            assert_eq!(slow.deliver(&delivery).await, Some(200), "{ended:?}");
            assert_eq!(slow.handler.counts(), (1, 1), "{ended:?}");
            continue;
        }
        assert_next_attempt_runs(&slow, &delivery).await;
    }
}

#[tokio::test]
async fn body_that_is_read_late_is_complete_after_the_client_half_closes() {
    let (listener, address) = Slow::listen().await;
    let service = service_fn(async |request: Request<Incoming>| {
        sleep(Duration::from_millis(500)).await;
        let body = request.into_body().collect().await?.to_bytes();
        Ok::<_, hyper::Error>(Response::new(body.len().to_string()))
    });
    tokio::spawn(serve::serve(listener, service, pending()));
    let mut delivery = signed(1);
    delivery.pad_to(256 * 1024);
    for request in [
        delivery.request(),
        delivery.chunked(1000),
        closing(&delivery),
    ] {
        let mut connection = Connection::open(address).await.unwrap();
        let steps = [Step::Send(request), Step::Finish];
        connection.send(&steps).await.unwrap();
        let response = connection.response().await.unwrap();
        assert_eq!((response.status, &*response.body), (200, &b"262144"[..]));
    }
}

#[tokio::test]
async fn stopping_server_completes_the_request_of_a_half_closed_client() {
    let (listener, address) = Slow::listen().await;
    let handler = Handler::default();
    let handle = {
        let handler = handler.clone();
        move || handler.handle()
    };
    let app = Router::new().route("/webhooks/scrupp", post(handle).layer(tower()));
    let service = TowerToHyperService::new(app.with_state(()));
    let slow = Slow {
        name: "axum",
        address,
        handler,
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = serve::serve(listener, service, async { drop(stopped.await) });
    let server = tokio::spawn(server);

    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut connection = Connection::open(address).await.unwrap();
    let steps = [Step::Send(signed(1).request()), Step::Finish];
    connection.send(&steps).await.unwrap();
    slow.begun().await;
    let begin = Instant::now();
    stop.send(()).unwrap();
    assert_eq!(connection.response().await.unwrap().status, 200);
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    server.await.unwrap();
    assert!(begin.elapsed() < HANDLING + Duration::from_secs(3));
}

#[tokio::test]
async fn request_targets_find_their_routes() {
    for example in EXAMPLES {
        let program = start(example).await;
        for (process_id, target) in (1..).zip([
            "/webhooks/scrupp?x=1",
            "/webhooks/scrupp?",
            "http://localhost/webhooks/scrupp",
            "http://localhost:3000/webhooks/scrupp?x",
        ]) {
            let request = String::from_utf8(signed(process_id).request()).unwrap();
            let request = request.replacen("/webhooks/scrupp", target, 1);
            let status = status(program.address(), &[Step::Send(request.into())]).await;
            assert_eq!(status.unwrap(), 200, "{example}, {target}");
        }
        // Salvo ignores empty segments of a path.
        let doubled = if example == "example-salvo" { 200 } else { 404 };
        let mut pages = vec![
            ("GET /healthz?x", 200),
            ("GET http://localhost/healthz", 200),
            ("GET http://localhost/healthz?x", 200),
            ("POST /healthz", 405),
            ("GET /nothing", 404),
            ("GET /webhooks", 404),
            ("GET //healthz", doubled),
            ("GET /%ff", 404),
            ("GET http://localhost", 404),
            ("CONNECT localhost:80", 404),
            ("OPTIONS *", 404),
        ];
        if !WITHOUT_LIST.contains(&example) {
            pages.extend([
                ("GET /deliveries?x", 200),
                ("GET http://localhost/deliveries", 200),
                ("POST /deliveries", 405),
            ]);
        }
        for (line, expected) in pages {
            let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let status = status(program.address(), &[Step::Send(request.into())]).await;
            assert_eq!(status.unwrap(), expected, "{example}, {line}");
        }
    }
}

#[tokio::test]
async fn head_has_the_status_of_get_and_no_body() {
    for example in EXAMPLES {
        let program = start(example).await;
        for page in ["/healthz", "/healthz?x", "/deliveries"] {
            if WITHOUT_LIST.contains(&example) && page == "/deliveries" {
                continue;
            }
            let mut stream = TcpStream::connect(program.address()).await.unwrap();
            let request =
                format!("HEAD {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).await.unwrap();
            let label = format!("{example}, {page}: {response}");
            assert!(response.starts_with("HTTP/1.1 200 "), "{label}");
            assert!(response.ends_with("\r\n\r\n"), "{label}");
            assert_eq!(response.matches("\r\n\r\n").count(), 1, "{label}");
        }
    }
}

#[tokio::test]
async fn exhausted_file_descriptors_are_logged_once() {
    for example in EXAMPLES {
        // The servers of actix-web and Salvo accept connections themselves.
        if ["example-actix", "example-salvo"].contains(&example) {
            continue;
        }
        let program = start(example).await;
        let pid = program.pid().to_string();
        let limited = Command::new("prlimit")
            .args(["--nofile=64", "--pid", &pid])
            .status();
        assert!(limited.unwrap().success());
        let mut idle = Vec::new();
        for _ in 0..80 {
            idle.push(TcpStream::connect(program.address()).await.unwrap());
        }
        let warnings = || program.said().matches("cannot accept connections").count();
        let begin = Instant::now();
        while warnings() == 0 {
            assert!(begin.elapsed() < Duration::from_secs(10), "{example}");
            sleep(Duration::from_millis(20)).await;
        }
        sleep(Duration::from_millis(300)).await;
        assert_eq!(warnings(), 1, "{example}: {}", program.said());
        assert!(program.said().contains("Too many open files"), "{example}");
    }
}

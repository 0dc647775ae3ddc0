//! Hostile clients against the example servers, with bounded load on loopback only.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod bodies;

use core::{convert::Infallible, net::SocketAddr, time::Duration};
use std::{fs, process::Command, sync::Arc, time::Instant};

use bytes::Bytes;
use http_body_util::Full;
use scrupp_verify_tests::{
    Connection, Delivery, FrontEnd, Process, Program, SECRET, Server, Step, signed,
};
use scrupp_verify_tower::{Account, ScruppVerify, Secret, VerifiedBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, SemaphorePermit, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::{Layer, ServiceExt};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Defines a test of one kind of abuse for each front end.
macro_rules! abuse {
    ($abuse:ident: $($test:ident $example:literal,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            $abuse(FrontEnd::Example($example)).await;
        }
    )*};
}
use abuse;

/// Waits until at most one other test of this file runs.
async fn beside() -> SemaphorePermit<'static> {
    static RUNNING: Semaphore = Semaphore::const_new(2);
    RUNNING.acquire().await.unwrap()
}

async fn deliver(address: SocketAddr, delivery: &Delivery) -> Option<u16> {
    let mut connection = Connection::open(address).await.ok()?;
    connection
        .send(&[Step::Send(delivery.request())])
        .await
        .ok()?;
    Some(connection.response().await.ok()?.status)
}

fn process(server: &Server) -> Process {
    Process::new(server.pid().unwrap())
}

abuse! { withstands_slow_clients:
    axum_withstands_slow_clients "example-axum",
    actix_withstands_slow_clients "example-actix",
    warp_withstands_slow_clients "example-warp",
    hyper_withstands_slow_clients "example-hyper",
    custom_withstands_slow_clients "example-custom",
}

const SLOW_CLIENTS: u64 = 2000;

/// Asserts that 2000 slow clients cost little memory and time. Half of them trickle headers, and
/// the others trickle a body.
async fn withstands_slow_clients(front_end: FrontEnd) {
    let _permit = beside().await;
    let server = front_end.start().await;
    let process = process(&server);
    let before = process.resident_bytes();
    let mut slow_clients = JoinSet::new();
    for number in 0..SLOW_CLIENTS {
        let delivery = signed(number);
        let head = delivery.head_with_length();
        let start = if number % 2 == 0 {
            &head[..40]
        } else {
            head.as_slice()
        };
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(start).await.unwrap();
        slow_clients.spawn(trickle(stream));
    }
    let opened = Instant::now();
    sleep(Duration::from_secs(1)).await;
    let each = process.resident_bytes().saturating_sub(before) / SLOW_CLIENTS;

    let (began, cpu_time) = (Instant::now(), process.cpu_time());
    sleep(Duration::from_secs(3)).await;
    let busy = (process.cpu_time() - cpu_time).as_secs_f64() / began.elapsed().as_secs_f64();

    let mut latencies = Vec::new();
    for number in 0..50 {
        let began = Instant::now();
        let status = deliver(server.address(), &signed(1_000_000 + number)).await;
        assert_eq!(status, Some(200));
        latencies.push(began.elapsed());
    }
    latencies.sort();
    let median = latencies[latencies.len() / 2];

    let lives = slow_clients.join_all().await;
    let last = opened.elapsed();
    println!(
        "{front_end:?}: {each} bytes for each slow client, {busy:.2} busy, {median:?}, {last:?}"
    );
    assert!(each < 40 * KIB, "{each} bytes for each slow client");
    assert!(busy < 0.3, "{busy} of a processor for slow clients");
    assert!(
        median < Duration::from_millis(100),
        "{median:?} for a delivery"
    );
    assert!(
        lives.iter().all(|ended| *ended),
        "the server did not close a connection"
    );
    assert!(
        last < Duration::from_secs(20),
        "the last connection ended after {last:?}"
    );
}

/// Sends a byte every two seconds. Returns true if the server closes the connection.
async fn trickle(stream: TcpStream) -> bool {
    let (mut reading, mut writing) = stream.into_split();
    let mut response = [0; 4096];
    for _ in 0..15 {
        tokio::select! {
            read = reading.read(&mut response) => match read {
                Ok(0) | Err(_) => return true,
                Ok(_) => {}
            },
            () = sleep(Duration::from_secs(2)) => {
                if writing.write_all(b"x").await.is_err() {
                    return true;
                }
            }
        }
    }
    false
}

abuse! { holds_at_most_its_budget:
    axum_holds_at_most_its_budget "example-axum",
    actix_holds_at_most_its_budget "example-actix",
    warp_holds_at_most_its_budget "example-warp",
    hyper_holds_at_most_its_budget "example-hyper",
    custom_holds_at_most_its_budget "example-custom",
}

const FLOODERS: usize = 5000;

/// Asserts that memory stays bounded while each connection sends all but the last byte of a forged
/// delivery of 200 KiB. The headers of every second delivery are rejected, so its body is drained.
async fn holds_at_most_its_budget(front_end: FrontEnd) {
    let _permit = beside().await;
    let server = front_end.start().await;
    let process = process(&server);
    let (flood, flooding) = watch::channel(false);
    let mut flooders = JoinSet::new();
    let mut forged = signed(1);
    forged.pad_to(200 * 1024);
    forged.sign_with("another", forged.now);
    let mut late = forged.clone();
    late.sign_with("another", late.now - 301);
    let heads = [forged.head_with_length(), late.head_with_length()];
    forged.body.pop();
    let body: Arc<[u8]> = forged.body.into();
    for head in heads.iter().cycle().take(FLOODERS) {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(head).await.unwrap();
        let (mut flooding, body) = (flooding.clone(), Arc::clone(&body));
        flooders.spawn(async move {
            let _ = flooding.changed().await;
            let _ = timeout(Duration::from_secs(15), stream.write_all(&body)).await;
            let mut response = Vec::new();
            let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut response)).await;
            (read.is_ok(), response)
        });
    }
    // Measured before any body arrives, to exclude the memory of the connections.
    sleep(Duration::from_millis(500)).await;
    let before = process.resident_bytes();
    flood.send_replace(true);
    let address = server.address();
    let meanwhile = tokio::spawn(async move {
        sleep(Duration::from_secs(2)).await;
        deliver(address, &signed(9_000_000)).await
    });
    let mut peak = 0;
    let flooders = tokio::spawn(flooders.join_all());
    while !flooders.is_finished() {
        sleep(Duration::from_millis(100)).await;
        peak = peak.max(process.resident_bytes().saturating_sub(before));
    }
    let responses = flooders.await.unwrap();
    println!("{front_end:?}: {} MiB at most", peak / MIB);

    // The budget, a quarter for buffers that grow, and the bytes that the server reads ahead.
    // actix-web reads up to 128 KiB twice on each connection before any middleware runs, so it is
    // exempt.
    let limit = 80 * MIB + FLOODERS as u64 * 16 * KIB;
    let sent = FLOODERS as u64 * 200 * KIB;
    assert!(sent > 2 * limit, "the flood is too small for the limit");
    assert!(
        peak < limit || front_end.is_actix(),
        "{} MiB held",
        peak / MIB
    );
    // actix-web waits without a timeout for the end of some bodies after its response.
    let responded = |response: &[u8]| front_end.is_actix() && !response.is_empty();
    let endless = responses
        .iter()
        .filter(|(ended, response)| !ended && !responded(response));
    let endless: Vec<_> = endless
        .map(|(_, response)| String::from_utf8_lossy(response))
        .collect();
    assert!(
        endless.is_empty(),
        "{} connections not closed, first response: {:?}",
        endless.len(),
        endless.first()
    );
    assert!(
        !responses
            .iter()
            .any(|(_, response)| response.starts_with(b"HTTP/1.1 2"))
    );

    // A genuine delivery waits for budget, and gets 200 or 503.
    let status = meanwhile.await.unwrap();
    assert!(matches!(status, Some(200 | 503)), "{status:?}");
    assert_eq!(deliver(address, &signed(9_000_001)).await, Some(200));
}

abuse! { handles_a_thousand_replays_once:
    axum_handles_a_thousand_replays_once "example-axum",
    actix_handles_a_thousand_replays_once "example-actix",
    warp_handles_a_thousand_replays_once "example-warp",
    hyper_handles_a_thousand_replays_once "example-hyper",
    custom_handles_a_thousand_replays_once "example-custom",
}

async fn handles_a_thousand_replays_once(front_end: FrontEnd) {
    let _permit = beside().await;
    let server = front_end.start().await;
    let (recorded, address) = (signed(1), server.address());
    let mut late = recorded.clone();
    late.sign_with(SECRET, late.now - 301);
    assert_eq!(deliver(address, &late).await, Some(401), "after the window");
    let mut replays = JoinSet::new();
    for _ in 0..1000 {
        let recorded = recorded.clone();
        replays.spawn(async move { deliver(address, &recorded).await });
    }
    for status in replays.join_all().await {
        assert!(matches!(status, Some(200 | 503)), "{status:?}");
    }
    assert_eq!(server.handled(1).await.len(), 1);
}

abuse! { recovers_from_file_descriptor_exhaustion:
    axum_recovers_from_file_descriptor_exhaustion "example-axum",
    actix_recovers_from_file_descriptor_exhaustion "example-actix",
    warp_recovers_from_file_descriptor_exhaustion "example-warp",
    hyper_recovers_from_file_descriptor_exhaustion "example-hyper",
    custom_recovers_from_file_descriptor_exhaustion "example-custom",
}

async fn recovers_from_file_descriptor_exhaustion(front_end: FrontEnd) {
    let _permit = beside().await;
    let server = front_end.start().await;
    let pid = server.pid().unwrap().to_string();
    let limited = Command::new("prlimit")
        .args(["--nofile=64", "--pid", &pid])
        .status();
    assert!(limited.unwrap().success());
    let mut idle = Vec::new();
    for _ in 0..150 {
        idle.push(TcpStream::connect(server.address()).await.unwrap());
    }
    sleep(Duration::from_millis(500)).await;
    let (began, cpu_time) = (Instant::now(), process(&server).cpu_time());
    sleep(Duration::from_secs(2)).await;
    let busy = process(&server).cpu_time() - cpu_time;
    assert!(
        busy < began.elapsed() / 3,
        "{busy:?} of processor time without file descriptors"
    );

    drop(idle);
    let began = Instant::now();
    assert_eq!(deliver(server.address(), &signed(1)).await, Some(200));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

async fn send_large(address: SocketAddr, number: u64) -> (u64, Option<u16>) {
    let mut large = signed(number);
    large.pad_to(200 * 1024);
    (number, deliver(address, &large).await)
}

/// Asserts that no acknowledged delivery is lost if memory runs out. The program may exit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_no_acknowledged_delivery_if_memory_runs_out() {
    const DELIVERIES: u64 = 900;
    let directory = std::env::temp_dir().join(format!("scrupp-memory-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let settings = [
        (
            "DATABASE_URL",
            format!("sqlite:{}", directory.join("inbox.db").display()),
        ),
        ("SCRUPP_API_ORIGIN", "http://127.0.0.1:1".to_owned()),
    ];
    let inbox = Program::start("example-inbox", &settings).await;
    let address = inbox.address();
    for number in 1..=10 {
        assert_eq!(send_large(address, number).await.1, Some(200));
    }
    // The other deliveries are concurrent, and exceed the memory limit.
    let limit = Process::new(inbox.pid()).address_space_bytes() + MIB;
    let (limit, pid) = (format!("--as={limit}"), inbox.pid().to_string());
    let limited = Command::new("prlimit")
        .args([&limit, "--pid", &pid])
        .status();
    assert!(limited.unwrap().success());
    let mut senders = JoinSet::new();
    for number in 11..=DELIVERIES {
        senders.spawn(send_large(address, number));
    }
    let responses = senders.join_all().await;
    inbox.kill().await;

    let inbox = Program::start("example-inbox", &settings).await;
    let kept: serde_json::Value =
        serde_json::from_slice(&inbox.get("/deliveries").await.body).unwrap();
    let kept = kept.as_array().unwrap().iter();
    let kept: Vec<_> = kept
        .map(|row| row["process_id"].as_u64().unwrap())
        .collect();
    let acknowledged = responses.iter().filter(|(_, status)| *status == Some(200));
    let acknowledged: Vec<_> = acknowledged
        .map(|(number, _)| *number)
        .chain(1..=10)
        .collect();
    println!(
        "{} of {DELIVERIES} acknowledged, {} kept",
        acknowledged.len(),
        kept.len()
    );
    assert!(
        (1..300).contains(&acknowledged.len()),
        "memory ran out too early, or never"
    );
    assert!(acknowledged.iter().all(|number| kept.contains(number)));
    fs::remove_dir_all(directory).unwrap();
}

/// Asserts that a wrong signature is rejected after the same work, whether the account exists or
/// not, and regardless of the number of secrets. At 64 KiB, nearly all of the time is hashing.
#[tokio::test]
async fn the_time_of_a_rejection_does_not_reveal_which_accounts_exist() {
    let secret = || Secret::new(SECRET).unwrap();
    let accounts = [
        ("/unknown", None),
        ("/one", Some(Account::new("one", secret()))),
        ("/two", Some(Account::new("two", [secret(), secret()]))),
        (
            "/four",
            Some(Account::new("four", [(); 4].map(|()| secret()))),
        ),
    ];
    let paths = accounts.each_ref().map(|(path, _)| *path);
    let lookup = move |head: &http::request::Parts| {
        let found = accounts.iter().find(|(path, _)| head.uri.path() == *path);
        let account = found.and_then(|(_, account)| account.clone());
        async move { Ok::<_, Infallible>(account) }
    };
    let handler = tower::service_fn(async |_: http::Request<VerifiedBody>| {
        Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::default()))
    });
    let layer = ScruppVerify::with_account_lookup(lookup).layer(handler);
    let mut forged = signed(1);
    forged.pad_to(64 * 1024);
    forged.sign_with("another", forged.now);
    let body = Bytes::from(forged.body.clone());
    let mut times = paths.map(|_| Vec::new());
    for round in 0..400 {
        // Each account comes first in turn.
        for turn in 0..paths.len() {
            let which = (round + turn) % paths.len();
            let mut request = http::Request::post(paths[which]);
            for (name, value) in &forged.headers {
                request = request.header(*name, value);
            }
            let request = request.body(Full::new(body.clone())).unwrap();
            let began = Instant::now();
            let response = layer.clone().oneshot(request).await.unwrap();
            times[which].push(began.elapsed());
            assert_eq!(response.status(), 401);
        }
    }
    let medians = times.map(|mut times| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    });
    println!("seconds of a rejection: {paths:?} {medians:?}");
    for median in medians {
        let ratio = median / medians[0];
        assert!((0.93..1.07).contains(&ratio), "{ratio}");
    }
}

/// Sends raw frames, because an HTTP/2 client cannot send an uppercase header name, which is
/// malformed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_rejects_uppercase_header_names() {
    for example in [
        "example-axum",
        "example-actix",
        "example-warp",
        "example-hyper",
        "example-custom",
    ] {
        let server = FrontEnd::Example(example).start().await;
        let delivery = signed(1);
        let literal = |name: &str, value: &str| {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            // RFC 7541, section 6.2.2: a literal without indexing, with a new name.
            [&[0, name.len() as u8], name, &[value.len() as u8], value].concat()
        };
        let mut block = Vec::new();
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/webhooks/scrupp"),
            (":authority", "localhost"),
        ] {
            block.extend(literal(name, value));
        }
        for (name, value) in &delivery.headers {
            block.extend(literal(name, value));
        }
        let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
            let length = &(payload.len() as u32).to_be_bytes()[1..];
            [length, &[kind, flags, 0, 0, 0, stream], payload].concat()
        };
        let request = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(4, 0, 0, b""),
            frame(1, 4, 1, &block),
            frame(0, 1, 1, &delivery.body),
        ];
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(&request.concat()).await.unwrap();
        let mut response = vec![0; 16 * 1024];
        let mut read = 0;
        // Reads up to RST_STREAM (3) or GOAWAY (7), which reject a malformed request.
        let ended = timeout(Duration::from_secs(5), async {
            loop {
                let more = stream.read(&mut response[read..]).await.unwrap_or(0);
                read += more;
                let mut at = 0;
                while let Some([a, b, c, kind, ..]) = response[..read].get(at..at + 9) {
                    if matches!(kind, 3 | 7) {
                        return;
                    }
                    at += 9 + u32::from_be_bytes([0, *a, *b, *c]) as usize;
                }
                if more == 0 {
                    return;
                }
            }
        });
        ended.await.unwrap();
        assert_eq!(server.handled(1).await.len(), 0, "{example}");
    }
}

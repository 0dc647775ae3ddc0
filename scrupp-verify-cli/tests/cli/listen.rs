use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::Command,
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use crate::{EVENT, Listening, SECRET, file, receiver, run, signature};

/// Returns a request with this framing, signed now.
fn request(framing: &str, body: &[u8]) -> Vec<u8> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let signature = signature(
        SECRET.as_bytes(),
        &[format!("{now}.").as_bytes(), body].concat(),
    );
    let head = format!(
        "POST /webhooks/scrupp?a=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{framing}\r\n\
         X-Trace: t\r\nX-Scrupp-Timestamp: {now}\r\nX-Scrupp-Signature: {signature}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn genuine() -> Vec<u8> {
    request(
        &format!("Content-Length: {}", EVENT.len()),
        EVENT.as_bytes(),
    )
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn recording_is_private_and_can_be_verified_and_replayed() {
    let path = file("listen-record", "");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let path = path.to_str().unwrap();
    let listening = Listening::start(&["--record", path, "--count", "3"]);
    run(&["send", &listening.url()]).exits(0);
    run(&["send", &listening.url(), "--chunk", "10"]).exits(0);
    run(&[
        "send",
        &listening.url(),
        "--tamper",
        "body",
        "--expect",
        "401",
    ])
    .exits(0);
    let shown = lines(&listening.end().exits(0).stdout);

    assert_eq!(
        fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = fs::read_to_string(path).unwrap();
    assert!(!text.contains(SECRET));
    let recorded = lines(&text);
    let verdicts = ["verified", "verified", "signature_mismatch"];
    assert_eq!(recorded.len(), 3);
    for ((shown, recorded), verdict) in shown.iter().zip(&recorded).zip(verdicts) {
        assert_eq!(recorded["verdict"], verdict);
        assert_eq!(recorded["method"], "POST");
        assert_eq!(recorded["target"], "/webhooks/scrupp");
        assert_eq!(recorded["received_at"], shown["received_at"]);
        assert_eq!(shown["verified"], verdict == "verified");
        assert_eq!(shown["reason"].as_str().unwrap_or("verified"), verdict);
    }
    let signature = &recorded[0]["headers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|pair| pair[0] == "x-scrupp-signature")
        .unwrap()[1];
    assert!(signature.as_str().unwrap().starts_with("sha256="));

    let ran = run(&["verify", "--format", "json", path]).exits(1);
    let verified: Vec<_> = lines(&ran.stdout)
        .iter()
        .map(|line| line["verified"] == true)
        .collect();
    assert_eq!(verified, [true, true, false]);

    let listening = Listening::start(&["--record", path, "--count", "3"]);
    run(&["replay", path, &listening.url()]).exits(0);
    listening.end().exits(0);
    assert_eq!(
        lines(&fs::read_to_string(path).unwrap()).len(),
        6,
        "appended, not replaced"
    );
}

#[test]
fn new_recording_is_private() {
    let path = file("listen-new", "");
    fs::remove_file(&path).unwrap();
    let listening = Listening::start(&["--count", "0", "--record", path.to_str().unwrap()]);
    listening.end().exits(0);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn records_hostile_requests_up_to_the_limit() {
    let path = file("listen-hostile", "");
    let path = path.to_str().unwrap();
    let listening = Listening::start(&["--record", path, "--count", "6"]);
    for garbage in [
        &b"\x16\x03\x01"[..],
        b"GET",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[b'a'; 100_000],
    ] {
        let mut stream = TcpStream::connect(&listening.address).unwrap();
        stream.write_all(garbage).unwrap();
    }
    let large = vec![b' '; 300_000];
    let declared = request("Content-Length: 300000", &large);
    let chunked = [
        format!("{:x}\r\n", large.len()).into_bytes(),
        large,
        b"\r\n0\r\n\r\n".to_vec(),
    ]
    .concat();
    let cases = [
        (
            b"GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec(),
            401,
            "missing_signature",
            0,
        ),
        (declared, 413, "body_too_large", 256 * 1024),
        (
            request("Transfer-Encoding: chunked", &chunked),
            413,
            "body_too_large",
            256 * 1024,
        ),
        (
            request("Transfer-Encoding: chunked", b"zz\r\n"),
            400,
            "body_broken",
            0,
        ),
        (
            request("Content-Length: 9", EVENT.as_bytes()),
            401,
            "signature_mismatch",
            9,
        ),
        (genuine(), 200, "verified", EVENT.len()),
    ];
    for (request, status, ..) in &cases {
        let response = listening.exchange(request);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{status}: {response}"
        );
    }
    listening.end().exits(0);
    let recorded = lines(&fs::read_to_string(path).unwrap());
    for (line, (_, _, verdict, bytes)) in recorded.iter().zip(cases) {
        assert_eq!(line["verdict"], verdict);
        let body = BASE64_STANDARD
            .decode(line["body_base64"].as_str().unwrap())
            .unwrap();
        assert_eq!(body.len(), bytes, "{verdict}");
    }
}

#[test]
fn records_after_the_client_disconnects() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", target.local_addr().unwrap());
    let listening = Listening::start(&["--count", "1", "--until", "20s", "--forward-to", &url]);
    let mut stream = TcpStream::connect(&listening.address).unwrap();
    stream.write_all(&genuine()).unwrap();
    // The delivery is being forwarded.
    let (waiting, _) = target.accept().unwrap();
    drop(stream);
    sleep(Duration::from_millis(300));
    drop(waiting);
    let ran = listening.end().exits(0);
    assert!(ran.stdout.contains("\"verified\":true"), "{ran:?}");
}

#[test]
fn slow_and_idle_clients_time_out() {
    let listening = Listening::start(&["--count", "2"]);
    let mut slow = TcpStream::connect(&listening.address).unwrap();
    let timeout = Some(Duration::from_secs(25));
    slow.set_read_timeout(timeout).unwrap();
    slow.write_all(&request("Content-Length: 9", b"")).unwrap();
    let idle: Vec<_> = (1..64)
        .map(|_| TcpStream::connect(&listening.address).unwrap())
        .collect();
    let started = Instant::now();
    assert!(listening.exchange(&genuine()).starts_with("HTTP/1.1 200 "));
    assert!(
        started.elapsed() > Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    let mut response = String::new();
    slow.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    drop(idle);
    assert!(listening.end().exits(0).stdout.contains("body_timeout"));
}

#[test]
fn forwards_genuine_deliveries_unmodified() {
    let (target, requests) = receiver(&[
        "503 Service Unavailable\r\nContent-Length: 0",
        "204 No Content",
        "302 Found\r\nLocation: /\r\nContent-Length: 0",
    ]);
    let listening = Listening::start(&["--count", "5", "--forward-to", &target]);
    let mut forged = genuine();
    *forged.last_mut().unwrap() ^= 1;
    let genuine = genuine();
    let cases = [
        (&forged, 401),
        (&genuine, 503),
        (&genuine, 204),
        (&genuine, 502),
    ];
    for (request, status) in cases {
        let response = listening.exchange(request);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{status}: {response}"
        );
    }
    // The target no longer listens.
    let requests = requests.join().unwrap();
    assert!(listening.exchange(&genuine).starts_with("HTTP/1.1 502 "));
    let ran = listening.end().exits(0);
    assert!(ran.stderr.contains("302 Found is not followed"), "{ran:?}");
    assert!(ran.stderr.contains("no response"), "{ran:?}");
    let sent = String::from_utf8(genuine.clone()).unwrap();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert!(request.ends_with(&format!("\r\n\r\n{EVENT}")), "{request}");
        for name in ["X-Trace", "X-Scrupp-Timestamp", "X-Scrupp-Signature"] {
            let line = sent.lines().find(|line| line.starts_with(name)).unwrap();
            let line = line.replacen(name, &name.to_lowercase(), 1);
            assert!(request.contains(&format!("\r\n{line}\r\n")), "{request}");
        }
        assert!(!request.contains("localhost"), "{request}");
    }
}

#[test]
fn answer_applies_only_to_genuine_deliveries() {
    for (answer, status, delay) in [("503", 503, 0), ("202", 202, 0), ("delay=1s", 200, 1)] {
        let listening = Listening::start(&["--count", "2", "--answer", answer]);
        let started = Instant::now();
        let forged = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        assert!(listening.exchange(forged).starts_with("HTTP/1.1 401 "));
        assert!(started.elapsed() < Duration::from_secs(1));
        let response = listening.exchange(&genuine());
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{response}"
        );
        assert!(started.elapsed() >= Duration::from_secs(delay));
        listening.end().exits(0);
    }
    for answer in ["x", "99", "101", "600", "delay=x", "delay="] {
        run(&["listen", "--answer", answer]).exits(2);
    }
    run(&[
        "listen",
        "--answer",
        "200",
        "--forward-to",
        "http://127.0.0.1:9",
    ])
    .exits(2);
}

#[test]
fn exit_code_distinguishes_limits_errors_and_interrupts() {
    Listening::start(&["--until", "200ms"]).end().exits(0);
    Listening::start(&["--until", "200ms", "--count", "1"])
        .end()
        .exits(1);
    let listening = Listening::start(&["--count", "2"]);
    let busy = run(&["listen", "--bind", &listening.address]).exits(3);
    assert!(busy.stderr.contains(&listening.address), "{busy:?}");
    Command::new("sh")
        .args(["-c", &format!("kill -INT {}", listening.pid())])
        .status()
        .unwrap();
    listening.end().exits(130);
    run(&[
        "listen",
        "--bind",
        "127.0.0.1:0",
        "--record",
        "/does/not/exist",
    ])
    .exits(3);
    run(&["listen", "--bind", "nonsense"]).exits(2);
}

#[test]
fn rejects_deliveries_after_the_last_with_503() {
    let listening = Listening::start(&["--count", "1"]);
    let mut late = TcpStream::connect(&listening.address).unwrap();
    let (head, rest) = (genuine(), b"}");
    late.write_all(&head[..head.len() - rest.len()]).unwrap();
    assert!(listening.exchange(&genuine()).starts_with("HTTP/1.1 200 "));
    late.write_all(rest).unwrap();
    let mut response = String::new();
    late.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    listening.end().exits(0);
}

/// If the recording cannot be written, the client must not get a 200.
#[test]
fn full_disk_is_an_error() {
    let listening = Listening::start(&["--record", "/dev/full"]);
    assert!(!listening.exchange(&genuine()).starts_with("HTTP/1.1 200 "));
    listening.end().exits(3);
}

#[test]
fn text_starts_with_the_address_and_has_no_styles() {
    let ran = run(&["listen", "--bind", "127.0.0.1:0", "--until", "100ms"]).exits(0);
    assert!(ran.stdout.starts_with("ready http://127.0.0.1:"), "{ran:?}");
    assert!(!ran.stdout.contains('\x1b'));
}

use std::{
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{EVENT, SECRET, file, output_of, program, receiver, run, signature};

const OK: &str = "200 OK\r\nContent-Length: 0";

fn header<'r>(request: &'r str, name: &str) -> &'r str {
    let line = request.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.strip_prefix(": "))
        .unwrap_or_default()
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

fn is_genuine(request: &str) -> bool {
    let content = format!(
        "{}.{}",
        header(request, "x-scrupp-timestamp"),
        body(request)
    );
    header(request, "x-scrupp-signature") == signature(SECRET.as_bytes(), content.as_bytes())
}

#[test]
fn builds_the_event_from_options() {
    let cases: [(&[&str], &str); 3] = [
        (
            &[],
            r#"{"event":"task.completed","process_id":6666,"status":"completed","result_url":"https://api.scrupp.com/api/v1/task/6666/data"}"#,
        ),
        (
            &[
                "--event",
                "failed",
                "--process-id",
                "7",
                "--set",
                "error=null",
            ],
            r#"{"event":"task.completed","process_id":7,"status":"failed","error":null}"#,
        ),
        (
            &[
                "--set",
                "meta.a.b=[1]",
                "--set",
                "meta.c=\"=\"",
                "--set",
                "result_url=\"x\"",
            ],
            r#"{"event":"task.completed","process_id":6666,"status":"completed","result_url":"x","meta":{"a":{"b":[1]},"c":"="}}"#,
        ),
    ];
    for (arguments, expected) in cases {
        let (url, requests) = receiver(&[OK]);
        run(&[&["send", &url], arguments].concat()).exits(0);
        let request = &requests.join().unwrap()[0];
        assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
        assert_eq!(header(request, "content-type"), "application/json");
        assert_eq!(body(request), expected);
        assert!(is_genuine(request), "{request}");
    }
    for set in ["meta", "meta=x", "event.a=1"] {
        run(&["send", "http://127.0.0.1:9", "--set", set]).exits(2);
    }
}

#[test]
fn sends_a_file_unmodified() {
    let text = format!(" {EVENT}\r\n");
    let path = file("send-body", &text);
    for (argument, stdin) in [(path.to_str().unwrap(), ""), ("-", &text)] {
        let (url, requests) = receiver(&[OK]);
        output_of(&mut program(&["send", &url, argument]), stdin.as_bytes()).exits(0);
        let request = &requests.join().unwrap()[0];
        assert_eq!(body(request), text);
        assert!(is_genuine(request), "{request}");
    }
    run(&["send", "http://127.0.0.1:9", "-", "--process-id", "1"]).exits(2);
}

#[test]
fn tampers_after_signing() {
    for tamper in ["body", "signature", "timestamp"] {
        let (url, requests) = receiver(&["401 Unauthorized\r\nContent-Length: 0"]);
        run(&["send", &url, "--tamper", tamper, "--expect", "401"]).exits(0);
        let request = &requests.join().unwrap()[0];
        assert!(!is_genuine(request), "{request}");
        let signature = header(request, "x-scrupp-signature");
        assert_eq!(signature.len(), "sha256=".len() + 64);
        assert!(
            serde_json::from_str::<serde_json::Value>(body(request)).is_ok(),
            "{request}"
        );
    }
}

#[test]
fn exit_code_compares_the_status() {
    let cases = [
        ("2xx", "204 No Content", 0),
        ("2xx", "404 Not Found\r\nContent-Length: 0", 1),
        ("4xx", "404 Not Found\r\nContent-Length: 0", 0),
        ("401", "404 Not Found\r\nContent-Length: 0", 1),
        ("404", "404 Not Found\r\nContent-Length: 0", 0),
        ("401", OK, 1),
        ("3xx", "302 Found\r\nLocation: /x\r\nContent-Length: 0", 0),
    ];
    for (expect, response, code) in cases {
        let responses: &'static [&'static str] = vec![response].leak();
        let (url, _requests) = receiver(responses);
        run(&["send", &url, "--expect", expect]).exits(code);
    }
    for expect in ["2x", "0xx", "99", "600", "x"] {
        run(&["send", "http://127.0.0.1:9", "--expect", expect]).exits(2);
    }
}

#[test]
fn shows_status_time_and_response() {
    let (url, _requests) =
        receiver(&["400 Bad Request\r\nContent-Length: 8\r\n\r\na\x1b[31m\u{7}\n"]);
    let mut command = program(&["send", &url]);
    // Without colors, all escape sequences are removed anyway.
    let ran = output_of(command.env("CLICOLOR_FORCE", "1"), b"").exits(1);
    let (first, rest) = ran.stdout.split_once('\n').unwrap();
    assert!(
        first.contains("400 Bad Request") && first.ends_with(" ms"),
        "{ran:?}"
    );
    assert!(!rest.contains(['\x1b', '\u{7}']), "{ran:?}");
    let (url, _requests) = receiver(&["200 OK\r\nContent-Length: 2\r\n\r\nhi"]);
    let ran = run(&["send", &url, "--format", "json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&json["status"], &json["body"]),
        (&200.into(), &"hi".into())
    );
    assert!(json["millis"].is_u64());
}

#[test]
fn reports_a_redirect_and_does_not_follow_it() {
    let next = TcpListener::bind("127.0.0.1:0").unwrap();
    next.set_nonblocking(true).unwrap();
    let location = format!("http://{}/", next.local_addr().unwrap());
    let response = format!("307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0");
    let (url, _requests) = receiver(vec![&*response.leak()].leak());
    let ran = run(&["send", &url]).exits(1);
    assert!(
        ran.stdout.contains(&format!("not followed: {location}")),
        "{ran:?}"
    );
    assert!(next.accept().is_err(), "the redirect was followed");
}

#[test]
fn unreachable_receiver_is_an_error() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let ran = run(&["send", &format!("http://{free}/?key=confidential")]).exits(3);
    assert!(
        ran.stderr.contains("refused") && !ran.stderr.contains("confidential"),
        "{ran:?}"
    );
    run(&["send", "ftp://127.0.0.1"]).exits(2);
    run(&["send", "nonsense"]).exits(2);
}

#[test]
fn loopback_needs_no_proxy() {
    let (url, _requests) = receiver(&[OK]);
    let mut command = program(&["send", &url]);
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    output_of(&mut command, b"").exits(0);
}

#[test]
fn chunks_have_the_requested_size() {
    let (url, requests) = receiver(&[OK]);
    let arguments = ["send", &url, "-", "--chunk", "30"];
    output_of(&mut program(&arguments), EVENT.as_bytes()).exits(0);
    let request = &requests.join().unwrap()[0];
    assert_eq!(header(request, "transfer-encoding"), "chunked");
    let (a, b, c) = (&EVENT[..30], &EVENT[30..60], &EVENT[60..]);
    let chunks = format!("1E\r\n{a}\r\n1E\r\n{b}\r\n5\r\n{c}\r\n0\r\n\r\n");
    assert_eq!(body(request), chunks);
}

#[test]
fn retries_until_acknowledged_and_signs_again() {
    let (url, requests) = receiver(&["503 Service Unavailable\r\nContent-Length: 0", OK]);
    let ran = run(&["send", &url, "--retry"]).exits(0);
    assert_eq!(ran.stdout.lines().count(), 2, "{ran:?}");
    let requests = requests.join().unwrap();
    let times = [0, 1].map(|index| header(&requests[index], "x-scrupp-timestamp"));
    assert_ne!(times[0], times[1]);
    assert!(requests.iter().all(|request| is_genuine(request)));
}

#[test]
fn repeats_the_same_bytes_with_limited_concurrency() {
    let (url, requests) = receiver(&[OK; 3]);
    let ran = run(&["send", &url, "--repeat", "3"]).exits(0);
    assert_eq!(ran.stdout.lines().count(), 3);
    let requests = requests.join().unwrap();
    assert!(
        requests.iter().all(|request| *request == requests[0]),
        "{requests:?}"
    );

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    static OPEN: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    thread::spawn(move || {
        for stream in listener.incoming() {
            MOST.fetch_max(OPEN.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(300));
                OPEN.fetch_sub(1, Ordering::SeqCst);
                let mut stream = stream.unwrap();
                let response = format!("HTTP/1.1 {OK}\r\nConnection: close\r\n\r\n");
                std::io::Write::write_all(&mut stream, response.as_bytes()).unwrap();
                // Reads everything, because closing a stream with unread bytes resets it.
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            });
        }
    });
    let started = Instant::now();
    run(&["send", &url, "--repeat", "6", "--concurrent", "3"]).exits(0);
    assert_eq!(MOST.load(Ordering::SeqCst), 3);
    assert!(started.elapsed() > Duration::from_millis(600));
}

#[cfg(target_os = "linux")]
#[test]
fn repeats_need_only_the_memory_of_concurrent_deliveries() {
    let body = file("send-large", vec![b'0'; 1024 * 1024]);
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    // The deliveries together need 1 GB, and the limit is 600 MB.
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -v 600000 && exec \"$@\"", "sh"])
        .args([env!("CARGO_BIN_EXE_scrupp-verify"), "send", "--repeat"])
        .args(["1000", &format!("http://{free}/"), body.to_str().unwrap()])
        .env("SCRUPP_WEBHOOK_SECRET", SECRET);
    let ran = output_of(&mut command, b"").exits(3);
    assert_eq!(ran.stderr.matches("no response").count(), 1000);
}

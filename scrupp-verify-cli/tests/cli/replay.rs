use crate::{EVENT, Listening, SECRET, file, receiver, run, signature};

/// Writes a recording with a stale delivery and an unsigned one.
fn recording(name: &str) -> String {
    let signature = signature(SECRET.as_bytes(), format!("1735471800.{EVENT}").as_bytes());
    let line = format!(
        r#"{{"received_at":"","method":"PUT","target":"/","headers":[["host","x"],["content-length","9"],["x-trace","t"],["x-scrupp-timestamp","1735471800"],["x-scrupp-signature","{signature}"]],"body_base64":"eyJldmVudCI6InRhc2suY29tcGxldGVkIiwicHJvY2Vzc19pZCI6NjY2Niwic3RhdHVzIjoiY29tcGxldGVkIn0=","verdict":"verified"}}"#
    );
    let unsigned = r#"{"headers":[],"body_base64":""}"#;
    file(name, format!("{line}\n{unsigned}\n"))
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn signs_each_delivery_again() {
    let (recording, listening) = (
        recording("replay-anew"),
        Listening::start(&["--count", "2"]),
    );
    run(&["replay", &recording, &listening.url()]).exits(0);
    let ran = listening.end().exits(0);
    assert_eq!(
        ran.stdout.matches("\"verified\":true").count(),
        2,
        "{ran:?}"
    );
}

#[test]
fn sends_each_delivery_as_recorded() {
    let (recording, listening) = (recording("replay-old"), Listening::start(&["--count", "2"]));
    let mut command = crate::program(&["replay", "--as-recorded", &recording, &listening.url()]);
    crate::output_of(command.env_remove("SCRUPP_WEBHOOK_SECRET"), b"").exits(1);
    let ran = listening.end().exits(0);
    for reason in ["too_old", "missing_signature"] {
        assert!(ran.stdout.contains(reason), "{ran:?}");
    }
}

#[test]
fn keeps_method_headers_and_body() {
    let (url, requests) = receiver(&["200 OK\r\nContent-Length: 0", "204 No Content"]);
    run(&["replay", "--as-recorded", &recording("replay-same"), &url]).exits(0);
    let requests = requests.join().unwrap();
    assert!(
        requests[0].starts_with("PUT /hook HTTP/1.1\r\n"),
        "{requests:?}"
    );
    assert!(requests[0].contains("\r\nx-trace: t\r\n"), "{requests:?}");
    assert!(
        requests[0].contains("\r\nx-scrupp-timestamp: 1735471800\r\n"),
        "{requests:?}"
    );
    assert!(requests[0].ends_with(EVENT), "{requests:?}");
    assert!(!requests[0].contains("host: x"), "{requests:?}");
    assert!(
        requests[1].starts_with("POST /hook HTTP/1.1\r\n"),
        "{requests:?}"
    );
}

#[test]
fn exit_code_distinguishes_failures() {
    let (url, _requests) =
        receiver(&["200 OK\r\nContent-Length: 0", "500 No\r\nContent-Length: 0"]);
    let recording = recording("replay-codes");
    run(&["replay", &recording, &url]).exits(1);
    run(&["replay", &recording, "http://127.0.0.1:9"]).exits(3);
    run(&["replay", "/does/not/exist", &url]).exits(3);
    let bad = file(
        "replay-bad",
        r#"{"headers":[["\u0000","x"]],"body_base64":""}"#,
    );
    run(&["replay", bad.to_str().unwrap(), &url]).exits(3);
    let bad = file(
        "replay-method",
        r#"{"method":"A B","headers":[],"body_base64":""}"#,
    );
    run(&["replay", bad.to_str().unwrap(), &url]).exits(3);
    run(&["replay", &recording]).exits(2);
}

use std::io::Write;

use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::{Compression, write::GzEncoder};

use crate::{EVENT, Ran, SECRET, file, output_of, program, run, signature};

const TIME: &str = "1735471800";

/// Verifies a body with these headers, 5 s after signing.
fn verify_parts(timestamp: &str, signature: &str, body: &[u8], secret: &str) -> Ran {
    let arguments = [
        "verify",
        "--now",
        "1735471805",
        "--format",
        "json",
        "--timestamp",
        timestamp,
    ];
    let mut command = program(&[&arguments[..], &["--signature", signature]].concat());
    output_of(command.env("SCRUPP_WEBHOOK_SECRET", secret), body)
}

/// Returns the signed content for a body.
fn signed_content(body: impl AsRef<[u8]>) -> Vec<u8> {
    [TIME.as_bytes(), b".", body.as_ref()].concat()
}

#[test]
fn names_the_cause_of_a_mismatch() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(EVENT.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let spaced = EVENT.replace("\":", "\": ").replace(",\"", ", \"");
    let sorted = r#"{"event":"é","list":[1,"/"],"meta":{}}"#;
    let unsorted = r#"{"meta":{},"event":"é","list":[1,"/"]}"#;
    let php = r#"{"event":"\u00e9","list":[1,"\/"],"meta":{}}"#;
    let pretty =
        "{\n  \"event\": \"é\",\n  \"list\": [\n    1,\n    \"/\"\n  ],\n  \"meta\": {}\n}";
    let python = r#"{"event": "\u00e9", "list": [1, "/"], "meta": {}}"#;
    let text = |text: &str| text.as_bytes().to_vec();
    // The cause, the signed body and the received body.
    let bodies = [
        ("trailing-newline", text(EVENT), format!("{EVENT}\n").into()),
        (
            "trailing-newline",
            text(EVENT),
            format!("{EVENT}\r\n").into(),
        ),
        ("trailing-newline", format!("{EVENT}\n").into(), text(EVENT)),
        ("crlf", text("{\n}\n"), text("{\r\n}\r\n")),
        ("crlf", text("{\r\n}\r\n"), text("{\n}\n")),
        ("reserialized", text(EVENT), spaced.clone().into()),
        ("reserialized", spaced.into(), text(EVENT)),
        ("reserialized", text(sorted), text(unsorted)),
        (
            "reserialized",
            text(unsorted),
            text(&unsorted.replace('/', r"\/")),
        ),
        ("reserialized", text(php), text(unsorted)),
        ("reserialized", text(pretty), text(sorted)),
        (
            "reserialized",
            text(&pretty.replace("  ", "    ")),
            text(sorted),
        ),
        ("reserialized", text(python), text(sorted)),
        (
            "byte-order-mark",
            text(EVENT),
            format!("\u{feff}{EVENT}").into(),
        ),
        (
            "byte-order-mark",
            format!("\u{feff}{EVENT}").into(),
            text(EVENT),
        ),
        ("base64", text(EVENT), BASE64_STANDARD.encode(EVENT).into()),
        ("base64", BASE64_STANDARD.encode(EVENT).into(), text(EVENT)),
        ("gzip", text(EVENT), gzip),
    ];
    let bodies = bodies.into_iter().map(|(cause, signed, received)| {
        (
            cause,
            SECRET.to_owned(),
            signed_content(signed),
            received,
            SECRET.to_owned(),
        )
    });
    // The cause, the sender's key, the signed content and the receiver's secret.
    let own = |key: &str| (key.to_owned(), signed_content(EVENT), SECRET.to_owned());
    let given = |secret: String| (SECRET.to_owned(), signed_content(EVENT), secret);
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let content = |content: String| (SECRET.to_owned(), content.into_bytes(), SECRET.to_owned());
    let others = [
        ("milliseconds", content(format!("{TIME}000.{EVENT}"))),
        ("milliseconds", content(format!("{TIME}999.{EVENT}"))),
        ("timestamp-not-signed", content(EVENT.to_owned())),
        ("secret-whitespace", own(&format!("{SECRET}\n"))),
        ("secret-whitespace", own(&format!(" {SECRET}"))),
        ("secret-whitespace", given(format!("{SECRET} "))),
        ("secret-quotes", own(&format!("\"{SECRET}\""))),
        ("secret-quotes", given(format!("'{SECRET}'"))),
        ("secret-hex", own(&hex)),
        ("secret-hex", own(&hex.to_uppercase())),
        ("secret-hex", given(hex.clone())),
    ];
    let others = others.into_iter().map(|(cause, (key, content, secret))| {
        (cause, key, content, EVENT.as_bytes().to_vec(), secret)
    });
    for (cause, key, content, body, secret) in bodies.chain(others) {
        let signature = signature(key.as_bytes(), &content);
        let ran = verify_parts(TIME, &signature, &body, &secret).exits(1);
        let expected = format!(
            "{{\"verified\":false,\"reason\":\"signature_mismatch\",\"cause\":\"{cause}\"}}\n"
        );
        assert_eq!(
            ran.stdout,
            expected,
            "{:?}",
            String::from_utf8_lossy(&content)
        );
    }
}

#[test]
fn names_milliseconds_in_the_header() {
    let content = format!("{TIME}123.{EVENT}");
    let signature = signature(SECRET.as_bytes(), content.as_bytes());
    let ran = verify_parts(&format!("{TIME}123"), &signature, EVENT.as_bytes(), SECRET).exits(1);
    let expected = "{\"verified\":false,\"reason\":\"timestamp_in_milliseconds\",\
                    \"cause\":\"milliseconds\"}\n";
    assert_eq!(ran.stdout, expected);
}

#[test]
fn names_no_cause_for_a_forgery() {
    let forged = signature(b"another secret", &signed_content(EVENT));
    let ran = verify_parts(TIME, &forged, EVENT.as_bytes(), SECRET).exits(1);
    let expected = "{\"verified\":false,\"reason\":\"signature_mismatch\",\"cause\":null}\n";
    assert_eq!(ran.stdout, expected);
}

#[test]
fn tries_every_secret() {
    let signature = signature(SECRET.as_bytes(), &signed_content("{}"));
    let arguments = [
        "verify",
        "--now",
        TIME,
        "--timestamp",
        TIME,
        "--signature",
        &signature,
    ];
    let mut command = program(&arguments);
    command
        .env("SCRUPP_WEBHOOK_SECRET", "newer")
        .env("SCRUPP_WEBHOOK_SECRET_PREVIOUS", SECRET);
    let ran = output_of(&mut command, b"{}\n").exits(1);
    assert!(
        ran.stdout.contains("\ncause: trailing-newline: "),
        "{ran:?}"
    );
}

fn request(framing: &str, body: &str) -> String {
    let signature = signature(SECRET.as_bytes(), &signed_content(EVENT));
    format!(
        "POST /webhooks/scrupp HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\
         X-Scrupp-Timestamp: {TIME}\r\nX-Scrupp-Signature: {signature}\r\n\r\n{body}"
    )
}

fn line(body: &str) -> String {
    let signature = signature(SECRET.as_bytes(), &signed_content(EVENT));
    let body = BASE64_STANDARD.encode(body);
    format!(
        r#"{{"headers":[["X-Scrupp-Timestamp","{TIME}"],["x-scrupp-signature","{signature}"]],"body_base64":"{body}"}}"#
    )
}

#[test]
fn reads_requests_and_recordings() {
    let length = request("Content-Length: 65", EVENT);
    let (first, last) = EVENT.split_at(10);
    let chunks = format!("A;x=1\r\n{first}\r\n37\r\n{last}\r\n0\r\n\r\n");
    let cases = [
        ("request", length.clone()),
        ("request with LF", length.replace("\r\n", "\n")),
        (
            "request in chunks",
            request("Transfer-Encoding: Chunked", &chunks),
        ),
        ("recording", line(EVENT)),
        (
            "recording of two",
            format!("{}\r\n\n{}\n", line(EVENT), line(EVENT)),
        ),
    ];
    for (label, content) in cases {
        let path = file("verify-input", content);
        let ran = run(&["verify", "--now", "1735472100", path.to_str().unwrap()]);
        assert!(
            ran.stdout.starts_with("verified: signed 300 s ago\n"),
            "{label}: {ran:?}"
        );
        ran.exits(0);
    }
    let both = format!("{}\n{}\n", line(EVENT), line("{}"));
    let path = file("verify-both", both);
    let ran = run(&[
        "verify",
        "--now",
        TIME,
        "--format",
        "json",
        path.to_str().unwrap(),
    ])
    .exits(1);
    let verdicts: Vec<_> = ran
        .stdout
        .lines()
        .map(|line| line.contains("\"verified\":true"))
        .collect();
    assert_eq!(verdicts, [true, false]);
}

#[test]
fn rejects_stale_deliveries_unless_age_is_ignored() {
    let path = file("verify-age", line(EVENT));
    let path = path.to_str().unwrap();
    let cases: [(&[&str], i32, &str); 5] = [
        (&[], 1, "too_old"),
        (&["--now", "1735472101"], 1, "too_old"),
        (&["--now", "1735471739"], 1, "in_future"),
        (&["--ignore-age"], 0, "null"),
        (&["--ignore-age", "--now", "1735471739"], 1, "in_future"),
    ];
    for (arguments, code, reason) in cases {
        let ran = run(&[&["verify", path, "--format", "json"], arguments].concat()).exits(code);
        assert!(ran.stdout.contains(reason), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn missing_header_is_the_reason() {
    let ran = run(&["verify", "--timestamp", TIME]).exits(1);
    assert!(
        ran.stdout.starts_with("rejected: missing_signature: "),
        "{ran:?}"
    );
}

#[test]
fn unreadable_files_are_errors() {
    let huge = request(
        "Transfer-Encoding: chunked",
        "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    );
    let cases = [
        String::new(),
        "\0".to_owned(),
        "{".to_owned(),
        "{}".to_owned(),
        r#"{"headers":{},"body_base64":""}"#.to_owned(),
        r#"{"headers":[["a"]],"body_base64":""}"#.to_owned(),
        r#"{"headers":[],"body_base64":"?"}"#.to_owned(),
        "POST / HTTP/1.1\r\nHost: a".to_owned(),
        request("Transfer-Encoding: chunked", "5\r\nab"),
        request("Transfer-Encoding: chunked", "2\r\nab..0\r\n\r\n"),
        huge,
        "[".repeat(100_000),
        format!("{{\"headers\":{}", "[".repeat(100_000)),
        format!("{}\n{{", line(EVENT)),
    ];
    for content in cases {
        let path = file("verify-unreadable", &content);
        let ran = run(&["verify", "--now", TIME, path.to_str().unwrap()]).exits(3);
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    }
    run(&["verify", "/does/not/exist"]).exits(3);
}

#[test]
fn hostile_bodies_have_no_cause() {
    let bodies = [vec![b'['; 200_000], b"\x1f\x8b".to_vec(), vec![0xff; 9]];
    for body in bodies {
        let forged = signature(b"another secret", b"");
        let ran = verify_parts(TIME, &forged, &body, SECRET).exits(1);
        assert!(ran.stdout.contains("\"cause\":null"), "{ran:?}");
    }
}

#[test]
fn large_body_is_not_decompressed() {
    let large = vec![0; 2 * 1024 * 1024];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&large).unwrap();
    let body = gzip.finish().unwrap();
    for signed in [&large[..], &large[..large.len() / 2]] {
        let signature = signature(SECRET.as_bytes(), &signed_content(signed));
        let ran = verify_parts(TIME, &signature, &body, SECRET).exits(1);
        assert!(ran.stdout.contains("\"cause\":null"), "{ran:?}");
    }
}

#[test]
fn omits_styles_unless_on_a_terminal() {
    let is_styled = |variables: &[(&str, &str)]| {
        let mut command = program(&["verify", "--timestamp", TIME]);
        let ran = output_of(command.envs(variables.iter().copied()), b"").exits(1);
        ran.stdout.contains('\x1b')
    };
    assert!(!is_styled(&[]));
    assert!(is_styled(&[("CLICOLOR_FORCE", "1")]));
    assert!(!is_styled(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

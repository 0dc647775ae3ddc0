use std::{process::Command, time::SystemTime};

use crate::{EVENT, SECRET, file, output_of, program, run, signature};

#[test]
fn signs_timestamp_dot_and_body() {
    let body = file("sign.json", EVENT);
    let ran = run(&["sign", "--at", "1735471800", body.to_str().unwrap()]).exits(0);
    let signature = signature(SECRET.as_bytes(), format!("1735471800.{EVENT}").as_bytes());
    let expected = format!("X-Scrupp-Timestamp: 1735471800\nX-Scrupp-Signature: {signature}\n");
    assert_eq!(ran.stdout, expected);
}

/// Vector from the documentation of `scrupp-verify-core`.
#[test]
fn signs_standard_input() {
    let mut command = program(&["sign", "--at", "1735471800", "--format", "json"]);
    command.env("SCRUPP_WEBHOOK_SECRET", "topsecret");
    let ran = output_of(&mut command, EVENT.as_bytes()).exits(0);
    let expected = "{\"X-Scrupp-Timestamp\":\"1735471800\",\"X-Scrupp-Signature\":\"sha256=\
                    b928f18f6ff69d1e2625f45e018cf4a890e64726c1bf849d9ea07484f3faf777\"}\n";
    assert_eq!(ran.stdout, expected);
}

#[test]
fn signs_for_a_time_in_the_past() {
    let ran = run(&["sign", "--age", "310s"]).exits(0);
    let timestamp = ran
        .stdout
        .lines()
        .next()
        .and_then(|line| line.split(' ').nth(1));
    let timestamp: u64 = timestamp.unwrap().parse().unwrap();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    assert!((310..330).contains(&(now.as_secs() - timestamp)), "{ran:?}");
}

#[test]
fn rejects_invalid_times() {
    for arguments in [
        &["--age", "100y"][..],
        &["--age", "x"],
        &["--age", "1s", "--at", "1"],
    ] {
        run(&[&["sign"], arguments].concat()).exits(2);
    }
}

/// Runs the command in a shell in which `curl` is a function that prints its arguments.
#[test]
fn curl_command_is_quoted_for_the_shell() {
    let name = "it's $(a) \\ \"body\".json";
    let body = file(name, "");
    let from_file = ["sign", "--output", "curl", body.to_str().unwrap()];
    let text = "it's\n$HOME `a` \\n \"b\" ünï\n";
    let cases = [
        (
            run(&from_file),
            format!("--data-binary\u{1}@{}\u{1}", body.display()),
        ),
        (
            output_of(&mut program(&["sign", "--output", "curl"]), text.as_bytes()),
            format!("--data-raw\u{1}{text}\u{1}"),
        ),
    ];
    for (ran, expected) in cases {
        let script = format!(
            "curl() {{ printf '%s\\001' \"$@\"; }}\n{}",
            ran.exits(0).stdout
        );
        let words = output_of(Command::new("sh").args(["-c", &script]), b"")
            .exits(0)
            .stdout;
        assert!(words.ends_with(&expected), "{words:?}");
        assert!(
            words.contains("\u{1}X-Scrupp-Signature: sha256="),
            "{words:?}"
        );
    }
}

#[test]
fn curl_command_needs_text_or_a_file() {
    for body in [&b"\xff"[..], b"a\0b", b"\x1b[31m"] {
        let ran = output_of(&mut program(&["sign", "--output", "curl"]), body).exits(2);
        assert_eq!(ran.stdout, "");
    }
}

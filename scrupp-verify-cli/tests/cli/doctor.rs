mod receiver;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use self::receiver::{Flaw, Receiver};
use crate::{Ran, SECRET, file, program, run};

/// Options for all checks except the slow ones.
const ALL: [&str; 3] = ["--genuine", "--large", "--raw"];

fn doctor(url: &str, arguments: &[&str]) -> Ran {
    let mut command = program(&["doctor", url, "--format", "json"]);
    crate::output_of(command.args(arguments), b"")
}

/// Returns the ids of the checks with this result.
fn with_result(ran: &Ran, result: &str) -> BTreeSet<String> {
    let checks = ran.stdout.lines().map(|line| {
        let check: Value = serde_json::from_str(line).unwrap();
        check
    });
    checks
        .filter(|check| check["result"] == result)
        .map(|check| check["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn reports_exactly_the_check_of_each_flaw() {
    let mut wrong = Vec::new();
    for (flaw, expected) in Flaw::ALL {
        let started = Instant::now();
        let receiver = Receiver::start(flaw);
        let effects = [
            "--effects-url",
            &receiver.effects,
            "--effects-pointer",
            "/count",
        ];
        let mut arguments = vec!["--genuine", "--raw"];
        // Each run sends 64 MiB twice.
        if matches!(flaw, Flaw::NoLimit | Flaw::NoDedup) {
            arguments.push("--large");
        }
        arguments.extend(effects);
        let ran = doctor(&receiver.url, &arguments);
        let failed = with_result(&ran, "fail");
        if failed != BTreeSet::from([expected.to_owned()]) {
            wrong.push(format!("{flaw:?}: expected {expected}, got {failed:?}"));
        }
        let is_must = ran.stdout.contains(r#""level":"MUST","result":"fail""#);
        assert_eq!(ran.code, Some(i32::from(is_must)), "{ran:#?}");
        println!("{flaw:?}: {:?}", started.elapsed());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn reports_no_failure_for_a_correct_receiver() {
    let receiver = Receiver::start(Flaw::None);
    let effects = [
        "--effects-url",
        &receiver.effects,
        "--effects-pointer",
        "/count",
    ];
    let started = Instant::now();
    let ran = doctor(&receiver.url, &[&ALL[..], &effects, &["--strict"]].concat()).exits(0);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(with_result(&ran, "fail"), BTreeSet::new());
    assert_eq!(with_result(&ran, "skip"), BTreeSet::new());
    let window = ran.stdout.lines().filter(|line| line.contains("-window"));
    let window: Vec<Value> = window
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(window[0]["got"], "300 s");
    assert_eq!(window[1]["got"], "60 s");
}

#[test]
fn sends_genuine_deliveries_only_with_the_option() {
    let receiver = Receiver::start(Flaw::None);
    let ran = doctor(&receiver.url, &["--large", "--raw"]).exits(0);
    assert!(with_result(&ran, "pass").len() > 30);
    assert_eq!(receiver.count(), 0);
    doctor(&receiver.url, &["--genuine"]).exits(0);
    assert!(receiver.count() > 10);
}

#[test]
fn repeated_runs_send_new_events() {
    let receiver = Receiver::start(Flaw::None);
    let effects = [
        "--effects-url",
        &receiver.effects,
        "--effects-pointer",
        "/count",
    ];
    doctor(
        &receiver.url,
        &[&["--genuine", "--only", "genuine/"], &effects[..]].concat(),
    )
    .exits(0);
    std::thread::sleep(Duration::from_secs(1));
    doctor(
        &receiver.url,
        &[&["--genuine", "--only", "genuine/"], &effects[..]].concat(),
    )
    .exits(0);
    assert_eq!(receiver.count(), 4);
}

#[test]
fn checks_the_previous_secret() {
    let receiver = Receiver::start(Flaw::None);
    let run = |name: &str| {
        let mut command = program(&["doctor", &receiver.url, "--genuine", "--format", "json"]);
        command.args(["--only", "genuine/", "--previous-secret-env", "FORMER"]);
        crate::output_of(command.env(name, "another"), b"")
    };
    // The receiver has no previous secret.
    let ran = run("FORMER").exits(1);
    assert_eq!(
        with_result(&ran, "fail"),
        BTreeSet::from(["genuine/previous-secret".to_owned()])
    );
    run("OTHER").exits(2);
}

#[test]
fn reports_missing_verification_without_effects_url() {
    for flaw in [Flaw::NoCheck, Flaw::SuccessForRejected] {
        let receiver = Receiver::start(flaw);
        let ran = doctor(&receiver.url, &[]).exits(1);
        assert_eq!(
            with_result(&ran, "fail"),
            BTreeSet::from(["sig/another-secret".to_owned()])
        );
    }
}

#[test]
fn strict_fails_on_should() {
    let receiver = Receiver::start(Flaw::ReasonTold);
    doctor(&receiver.url, &[]).exits(0);
    doctor(&receiver.url, &["--strict"]).exits(1);
    doctor(&receiver.url, &["--strict", "--skip", "oracle/reason"]).exits(0);
}

#[test]
fn lists_and_selects_checks() {
    // Nothing listens on this port.
    let url = "http://127.0.0.1:9/";
    let all = doctor(url, &["--list", "--genuine", "--large", "--raw", "--slow"]).exits(0);
    let ids: Vec<String> = all
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
        .collect();
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len());
    assert!(ids.len() > 110, "{}", ids.len());
    let times = doctor(url, &["--list", "--only", "time/", "--skip", "time/stale"]).exits(0);
    assert!(
        times
            .stdout
            .lines()
            .all(|line| line.contains(r#""id":"time/"#))
    );
    assert!(!times.stdout.contains("time/stale"));

    // A list needs no secret.
    let mut command = program(&["doctor", url, "--list", "--only", "time/"]);
    command.env_remove("SCRUPP_WEBHOOK_SECRET");
    crate::output_of(&mut command, b"").exits(0);
    let mut command = program(&["doctor", url, "--only", "time/"]);
    command.env_remove("SCRUPP_WEBHOOK_SECRET");
    crate::output_of(&mut command, b"").exits(2);
}

#[test]
fn missing_receiver_is_an_error() {
    doctor("http://127.0.0.1:9/", &[]).exits(3);
    doctor("ftp://127.0.0.1/", &[]).exits(2);
    for url in ["http://user@127.0.0.1:9/", "http://:pa55word@127.0.0.1:9/"] {
        assert!(!doctor(url, &[]).exits(2).stderr.contains("pa55word"));
    }
    let receiver = Receiver::start(Flaw::None);
    for pointer in ["/nothing", ""] {
        let effects = [
            "--effects-url",
            &receiver.effects,
            "--effects-pointer",
            pointer,
        ];
        let ran = doctor(&receiver.url, &effects).exits(3);
        assert!(ran.stderr.contains("--effects-pointer"), "{ran:?}");
    }
}

#[test]
fn writes_reports() {
    let receiver = Receiver::start(Flaw::NoDedup);
    let (json, junit) = (file("doctor.json", ""), file("doctor.xml", ""));
    let ran = run(&[
        "doctor",
        &receiver.url,
        "--genuine",
        "--effects-url",
        &receiver.effects,
        "--effects-pointer",
        "/count",
        "--report",
        &format!("json={}", json.display()),
        "--report",
        &format!("junit={}", junit.display()),
    ])
    .exits(1);
    assert!(
        ran.stdout.contains("fail  MUST    once/repeated"),
        "{ran:#?}"
    );
    assert!(ran.stdout.contains("Laravel: "), "{ran:#?}");

    let report: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(report["url"], receiver.url);
    let checks = report["checks"].as_array().unwrap();
    let failed = checks
        .iter()
        .find(|check| check["id"] == "once/repeated")
        .unwrap();
    assert_eq!(failed["result"], "fail");
    assert_eq!(failed["got"], "handled 2 times");
    for name in ["level", "sent", "expected", "why", "fix"] {
        assert!(
            failed[name].as_str().is_some_and(|text| !text.is_empty()),
            "{name}"
        );
    }
    assert!(failed["millis"].is_u64());
    assert!(checks.iter().any(|check| check["result"] == "skip"));

    let junit = fs::read_to_string(junit).unwrap();
    assert!(junit.contains(r#"failures="1""#), "{junit}");
    assert!(!junit.contains(SECRET));
}

#[test]
fn limits_the_rate() {
    let receiver = Receiver::start(Flaw::None);
    let started = Instant::now();
    doctor(&receiver.url, &["--only", "sig/", "--rate", "20"]).exits(0);
    assert!(
        started.elapsed() > Duration::from_millis(400),
        "{:?}",
        started.elapsed()
    );
}

/// Receiver in another language, killed on drop.
struct Foreign(Child, String);

impl Foreign {
    /// Starts the receiver. Returns `None` if the interpreter is not installed.
    fn start(interpreter: &str, name: &str) -> Option<Self> {
        let path = format!("{}/tests/receivers/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(interpreter);
        command.arg(path).env("SCRUPP_WEBHOOK_SECRET", SECRET);
        let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else {
            println!("skipped: {interpreter} is not installed");
            return None;
        };
        let mut port = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut port).unwrap();
        Some(Self(child, format!("http://127.0.0.1:{}", port.trim())))
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn reports_no_failure_for_receivers_in_other_languages() {
    for (interpreter, name) in [("node", "receiver.js"), ("python3", "receiver.py")] {
        let Some(receiver) = Foreign::start(interpreter, name) else {
            continue;
        };
        let effects = format!("{}/count", receiver.1);
        let url = format!("{}/webhooks/scrupp", receiver.1);
        let arguments = [
            "--effects-url",
            &effects,
            "--effects-pointer",
            "/count",
            "--strict",
        ];
        let ran = doctor(&url, &[&["--genuine", "--large"], &arguments[..]].concat());
        assert_eq!(
            with_result(&ran, "fail"),
            BTreeSet::new(),
            "{interpreter}: {}",
            ran.stdout
        );
        ran.exits(0);
    }
}

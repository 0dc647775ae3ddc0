//! The example that replaces its secrets at run time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;
use std::{env, ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::PathBuf, process};

use scrupp_verify_tests::{Program, signed};
use tokio::time::sleep;

/// A file that is replaced by renaming, and removed on drop.
struct SecretsFile(PathBuf);

impl SecretsFile {
    fn new(test: &str, secrets: &str) -> Self {
        let name = format!("scrupp-secrets-{}-{test}.txt", process::id());
        let file = Self(env::temp_dir().join(name));
        file.replace(secrets);
        file
    }

    fn replace(&self, secrets: &str) {
        let new = self.0.with_extension("new");
        fs::write(&new, secrets).unwrap();
        fs::rename(new, &self.0).unwrap();
    }
}

impl Drop for SecretsFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Sends a delivery that is signed with this secret.
async fn send(program: &Program, secret: &str, process_id: u64) -> u16 {
    let mut delivery = signed(process_id);
    delivery.sign_with(secret, delivery.now);
    program.deliver(&delivery).await
}

async fn wait_for_line(program: &Program, text: &str) {
    for _ in 0..100 {
        if program.said().contains(text) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("no line contains {text}: {}", program.said());
}

#[tokio::test]
async fn invalid_secrets_file_is_named_and_nothing_starts() {
    let run = async |path: &OsStr| {
        let settings = [("SCRUPP_SECRETS_FILE", path)];
        let ended = Program::run("example-rotation", &[], &settings).await;
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(ended.stdout.is_empty(), "the example listens");
        said
    };
    let not_set = "SCRUPP_SECRETS_FILE is not set\n";
    assert_eq!(run(OsStr::new("")).await, not_set);
    let said = run(OsStr::from_bytes(b"\xff")).await;
    assert_eq!(said, "SCRUPP_SECRETS_FILE: not UTF-8\n");
    let said = run(OsStr::new("/nowhere/secrets.txt")).await;
    let named = "SCRUPP_SECRETS_FILE=/nowhere/secrets.txt: No such file or directory";
    assert!(said.starts_with(named), "{said}");
    for (test, secrets) in ["", "topsecret \n", "a\nb\nc\nd\ne\n"].iter().enumerate() {
        let file = SecretsFile::new(&test.to_string(), secrets);
        let said = run(file.0.as_os_str()).await;
        let named = format!("SCRUPP_SECRETS_FILE={}: ", file.0.display());
        assert!(said.starts_with(&named), "{said}");
        assert!(!said.contains("topsecret"), "{said}");
    }
}

#[tokio::test]
async fn responds_to_health_checks_and_exits_cleanly_on_sigterm() {
    let file = SecretsFile::new("health", "topsecret\n");
    let settings = [("SCRUPP_SECRETS_FILE", file.0.as_os_str())];
    let mut program = Program::start("example-rotation", &settings).await;
    assert_eq!(program.get("/healthz").await.status, 200);
    assert_eq!(program.terminate().await, Some(0));
}

#[tokio::test]
async fn secrets_are_replaced_without_a_restart() {
    let file = SecretsFile::new("replaced", "first\n");
    let settings = [("SCRUPP_SECRETS_FILE", file.0.as_os_str())];
    let program = Program::start("example-rotation", &settings).await;
    assert_eq!(send(&program, "first", 1).await, 200);
    assert_eq!(send(&program, "second", 2).await, 401);

    file.replace("second\nfirst\n");
    wait_for_line(&program, "the secrets were replaced").await;
    assert_eq!(send(&program, "second", 2).await, 200);
    assert_eq!(send(&program, "first", 3).await, 200);
    // A delivery signed with another secret is still a duplicate.
    assert_eq!(send(&program, "second", 1).await, 200);
    let handled = program.said().matches("process_id=1\n").count();
    assert_eq!(handled, 1, "{}", program.said());

    // An invalid file changes nothing.
    file.replace("third \n");
    wait_for_line(&program, "the secrets were not replaced").await;
    assert_eq!(send(&program, "second", 4).await, 200);
    assert_eq!(send(&program, "third", 5).await, 401);
    assert!(!program.said().contains("third"), "{}", program.said());
}

#[tokio::test]
async fn new_file_with_the_old_modification_time_is_read() {
    let file = SecretsFile::new("time", "first\n");
    let settings = [("SCRUPP_SECRETS_FILE", file.0.as_os_str())];
    let program = Program::start("example-rotation", &settings).await;
    let modified = fs::metadata(&file.0).unwrap().modified().unwrap();
    let new = file.0.with_extension("new");
    fs::write(&new, "second\n").unwrap();
    let opened = fs::File::options().write(true).open(&new).unwrap();
    opened.set_modified(modified).unwrap();
    fs::rename(new, &file.0).unwrap();
    wait_for_line(&program, "the secrets were replaced").await;
    assert_eq!(send(&program, "second", 1).await, 200);
}

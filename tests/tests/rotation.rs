//! The example whose secrets are replaced while it runs.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;
use std::{env, fs, path::PathBuf, process};

use scrupp_verify_tests::{Connection, Delivery, Program, Step};
use tokio::time::sleep;

/// A file that is replaced by renaming, and removed with the test.
struct SecretsFile(PathBuf);

impl SecretsFile {
    fn new(secrets: &str) -> Self {
        let name = format!("scrupp-secrets-{}.txt", process::id());
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
    let mut delivery = Delivery::new(process_id);
    delivery.sign_with(secret, delivery.now);
    let mut connection = Connection::open(program.address()).await.unwrap();
    let request = Step::Send(delivery.request());
    connection.send(&[request]).await.unwrap();
    connection.response().await.unwrap().status
}

async fn wait_for_line(program: &Program, text: &str) {
    for _ in 0..100 {
        if program.said().contains(text) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("no line says {text}: {}", program.said());
}

#[tokio::test]
async fn secrets_are_replaced_without_a_restart() {
    let file = SecretsFile::new("first\n");
    let settings = [("SCRUPP_SECRETS_FILE", file.0.as_os_str())];
    let program = Program::start("example-rotation", &settings).await;
    assert_eq!(send(&program, "first", 1).await, 200);
    assert_eq!(send(&program, "second", 2).await, 401);

    file.replace("second\nfirst\n");
    wait_for_line(&program, "the secrets were replaced").await;
    assert_eq!(send(&program, "second", 2).await, 200);
    assert_eq!(send(&program, "first", 3).await, 200);
    // Signed with another secret, the delivery is a duplicate of the first one all the same.
    assert_eq!(send(&program, "second", 1).await, 200);
    let handled = program.said().matches("process_id=1\n").count();
    assert_eq!(handled, 1, "{}", program.said());

    // A file that is not valid changes nothing.
    file.replace("third \n");
    wait_for_line(&program, "the secrets were not replaced").await;
    assert_eq!(send(&program, "second", 4).await, 200);
    assert_eq!(send(&program, "third", 5).await, 401);
    assert!(!program.said().contains("third"), "{}", program.said());
}

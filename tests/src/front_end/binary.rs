use std::{net::SocketAddr, path::PathBuf, process::Stdio, sync::Once};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{PREVIOUS_SECRET, SECRET};

/// A program that ends with its test.
#[derive(Debug)]
pub(super) struct Program(Child);

impl Program {
    pub(super) fn pid(&self) -> Option<u32> {
        self.0.id()
    }
}

/// Starts the program of a package of this workspace, built with it.
pub(super) async fn start(package: &str, settings: &[(&str, String)]) -> (SocketAddr, Program) {
    let mut child = Command::new(path(package))
        .env("SCRUPP_WEBHOOK_SECRET", SECRET)
        .env("SCRUPP_WEBHOOK_SECRET_PREVIOUS", PREVIOUS_SECRET)
        .env("BIND", "127.0.0.1:0")
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{package} does not start: {error}"));
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let address = loop {
        let line = lines.next_line().await.expect("output");
        let line = line.unwrap_or_else(|| panic!("{package} ended before it listened"));
        if let Some(address) = line.strip_prefix("listening on http://") {
            break address.parse().expect("an address");
        }
    };
    // Read on, so that the program can write on.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (address, Program(child))
}

/// Where cargo has put the program: beside the directory of the test that runs.
fn path(package: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        // With all features, as the tests are built: then cargo has next to nothing to do, and
        // a program of an earlier state of the sources is never taken for today's.
        let built = std::process::Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--workspace",
                "--bins",
                "--all-features",
            ])
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the programs do not build"
        );
    });
    let test = std::env::current_exe().expect("a path");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    profile.join(package)
}

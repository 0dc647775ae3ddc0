use std::{net::SocketAddr, path::PathBuf, process::Stdio, sync::Once};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{PREVIOUS_SECRET, SECRET};

/// A program of this workspace, as a process that ends with its test.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// Starts it with these settings in its environment, and waits until it says where it listens.
    pub async fn start(name: &str, settings: &[(&str, String)]) -> (SocketAddr, Self) {
        let mut child = Command::new(path(name))
            .env("SCRUPP_WEBHOOK_SECRET", SECRET)
            .env("SCRUPP_WEBHOOK_SECRET_PREVIOUS", PREVIOUS_SECRET)
            .env("BIND", "127.0.0.1:0")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let address = loop {
            let line = lines.next_line().await.expect("output");
            let line = line.unwrap_or_else(|| panic!("{name} ended before it listened"));
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.parse().expect("an address");
            }
        };
        // Read on, so that the program can write on.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        (address, Self(child))
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id().expect("a process that was not waited for")
    }

    /// Kills it, as nothing can prevent, and tells its process id.
    pub async fn kill(mut self) -> u32 {
        let pid = self.pid();
        self.0.kill().await.expect("killed");
        pid
    }
}

/// Where cargo has put the program: beside the one that runs, or above where that is a test.
fn path(name: &str) -> PathBuf {
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
    let this = std::env::current_exe().expect("a path");
    let directory = this
        .parent()
        .expect("target/PROFILE or target/PROFILE/deps");
    match directory.file_name() {
        Some(deps) if deps == "deps" => directory.with_file_name(name),
        _ => directory.join(name),
    }
}

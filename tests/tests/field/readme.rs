//! The programs of the README compile with the dependencies that the README adds, and do what the
//! README describes.

use core::{fmt::Write, time::Duration};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use scrupp_verify_tests::{Connection, SECRET, free_port};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

const README: &str = include_str!("../../../README.md");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Returns the text of a section, up to the next heading of its level.
fn section(title: &str) -> &'static str {
    let (_, section) = README.split_once(&format!("\n## {title}\n")).unwrap();
    section
        .split_once("\n## ")
        .map_or(section, |(text, _)| text)
}

/// Returns the code blocks of a section in a language.
fn blocks<'s>(section: &'s str, language: &str) -> Vec<&'s str> {
    let fence = format!("\n```{language}\n");
    let blocks = section.split(&*fence).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

/// A package outside of the workspace. Removed on drop.
struct Package(PathBuf);

impl Package {
    /// Creates a package with the program of a section and the dependencies of its `cargo add`
    /// lines.
    fn of_section(name: &str, title: &str, edit: impl Fn(&str) -> String) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(directory.join("src")).unwrap();
        let mut manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
             [workspace]\n[dependencies]\n"
        );
        for line in section(title).lines() {
            if let Some(arguments) = line.strip_prefix("cargo add ") {
                add(&mut manifest, arguments);
            }
        }
        fs::write(directory.join("Cargo.toml"), manifest).unwrap();
        // The same versions as in the workspace.
        let lock = Path::new(ROOT).join("Cargo.lock");
        fs::copy(lock, directory.join("Cargo.lock")).unwrap();
        let program = edit(blocks(section(title), "rust")[0]);
        fs::write(directory.join("src/main.rs"), program).unwrap();
        Self(directory)
    }

    fn cargo(&self, command: &str) -> Command {
        // The target directory of the workspace, so that shared dependencies are built once.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args([command, "--quiet", "--target-dir"])
            .arg(target)
            .current_dir(&self.0)
            .env_remove("CARGO_BUILD_TARGET")
            .env("SCRUPP_WEBHOOK_SECRET", SECRET)
            .env("NO_COLOR", "1")
            .kill_on_drop(true);
        cargo
    }

    async fn build(&self) {
        let built = self.cargo("build").output().await.unwrap();
        assert!(built.status.success(), "{}", text(&built.stderr));
    }

    /// Starts the program, and waits until it listens. The program is killed on drop.
    async fn start(&self, port: u16) -> Child {
        self.build().await;
        let program = self.0.file_name().unwrap();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let program = Command::new(target.join("debug").join(program))
            .env("SCRUPP_WEBHOOK_SECRET", SECRET)
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let listens = async {
            while Connection::open(([127, 0, 0, 1], port).into())
                .await
                .is_err()
            {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(20), listens).await.unwrap();
        program
    }
}

/// Adds the dependencies of a `cargo add` line to a manifest.
fn add(manifest: &mut String, arguments: &str) {
    let mut names = Vec::new();
    let (mut features, mut default) = (Vec::new(), true);
    let mut arguments = arguments.split_whitespace();
    while let Some(argument) = arguments.next() {
        match argument {
            "--features" => features.extend(arguments.next().unwrap().split(',')),
            "--no-default-features" => default = false,
            name => names.push(name),
        }
    }
    for name in names {
        let source = match name.strip_prefix("scrupp-verify-") {
            Some(_) => format!("path = \"{ROOT}/{name}\""),
            None => format!("version = \">={}\"", newest(name)),
        };
        writeln!(
            manifest,
            "{name} = {{ {source}, features = {features:?}, default-features = {default} }}"
        )
        .unwrap();
    }
}

/// Returns the newest version of a crate in the lock file, because `cargo add` takes the newest
/// version.
fn newest(name: &str) -> String {
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).unwrap();
    let entry = format!("name = \"{name}\"\nversion = \"");
    let versions = lock.split(&*entry).skip(1);
    let versions = versions.map(|rest| rest.split('"').next().unwrap());
    let numbers = |version: &&str| -> Vec<u64> {
        let numbers = version.split('.').map_while(|number| number.parse().ok());
        numbers.collect()
    };
    versions.max_by_key(numbers).unwrap().to_owned()
}

/// Runs a shell script of the README against a server on this port.
async fn shell(script: &str, port: u16) -> Output {
    let script = script.replace("127.0.0.1:3000", &format!("127.0.0.1:{port}"));
    let script = format!("set -e\n{script}");
    Command::new("sh")
        .args(["-c", &script])
        .output()
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// Sends the delivery of the README twice and a forged one, and compares the log with that of the
/// README.
async fn follows_the_readme(name: &str, title: &str) {
    let port = free_port();
    let listen = |program: &str| {
        assert!(!program.contains("\n# "), "a hidden line");
        program.replace("127.0.0.1:3000", &format!("127.0.0.1:{port}"))
    };
    let package = Package::of_section(name, title, listen);
    let program = package.start(port).await;

    let scripts = blocks(section("axum"), "sh");
    let send = scripts
        .iter()
        .find(|script| script.contains("curl"))
        .unwrap();
    let forge = send.replace("--data-binary \"$body\"", "--data-binary \"$body \"");
    for (script, status) in [(*send, "200"), (*send, "200"), (&*forge, "401")] {
        let response = shell(script, port).await;
        let response = text(&response.stdout);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{response}"
        );
    }

    let pid = program.id().unwrap().to_string();
    Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .await
        .unwrap();
    let ended = timeout(Duration::from_secs(40), program.wait_with_output());
    let log = ended.await.unwrap().unwrap().stdout;
    let log = text(&log);
    // The age depends on the second in which the shell signed.
    let without_age = |line: &str| {
        let (head, tail) = line.split_once(" age_secs=").unwrap();
        format!(
            "{head}{}",
            tail.trim_start_matches(|c: char| c.is_ascii_digit())
        )
    };
    let expected = without_age(blocks(section("axum"), "text")[0].trim_end());
    let handled: Vec<_> = log
        .lines()
        .filter(|line| line.contains("\"handled\""))
        .collect();
    assert_eq!(handled.len(), 1, "{log}");
    assert!(without_age(handled[0]).ends_with(&expected), "{log}");
    for expected in [
        "task.completed of process Some(6666)",
        "outcome=\"duplicate\"",
        "kind=\"signature_mismatch\"",
    ] {
        assert_eq!(log.matches(expected).count(), 1, "{expected}: {log}");
    }
}

#[tokio::test]
async fn axum_program_of_the_readme_logs_as_described() {
    follows_the_readme("readme-axum", "axum").await;
}

#[tokio::test]
async fn actix_program_of_the_readme_logs_as_described() {
    follows_the_readme("readme-actix", "actix-web").await;
}

#[tokio::test]
async fn core_program_of_the_readme_runs() {
    let package = Package::of_section("readme-core", "Other servers", str::to_owned);
    let ran = package.cargo("run").output().await.unwrap();
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    assert_eq!(
        text(&ran.stdout),
        "task.completed of process Some(6666)\n0 s old\n"
    );
}

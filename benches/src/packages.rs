//! Size of the crates: their dependency trees, the time of a clean build, and a linked program.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crate::{figure::Figure, load::Result, rounds::median};

pub(crate) fn crates_in_the_tree() -> Result<Vec<Figure>> {
    let count = |package: &str| -> Result<f64> {
        let format = ["--prefix", "none", "--format", "{p}"];
        let args = ["tree", "--package", package, "--edges", "normal,build"];
        let tree = output(Command::new("cargo").args(args).args(format))?;
        // `cargo tree` marks repeated crates.
        let crates = tree.lines().map(|line| line.trim_end_matches(" (*)"));
        Ok(crates.collect::<BTreeSet<_>>().len() as f64)
    };
    Ok(vec![
        Figure::at_most(
            "crates_in_the_tree_of_core",
            count("scrupp-verify-core")?,
            14.0,
        ),
        Figure::at_most(
            "crates_in_the_tree_of_tower",
            count("scrupp-verify-tower")?,
            33.0,
        ),
    ])
}

/// Times interleaved clean release builds, each of an empty package with one dependency.
pub(crate) fn build_time(rounds: u32) -> Result<Vec<Figure>> {
    let root = root().display().to_string();
    let tower = format!(r#"scrupp-verify-tower = {{ path = "{root}/scrupp-verify-tower" }}"#);
    let bare = tower.replace(" }", ", default-features = false }");
    let peer = r#"webhook-verify = { version = "0.1", features = ["tower"] }"#;
    let packages = [
        Package::new("tower", &tower)?,
        Package::new("bare", &bare)?,
        Package::new("peer", peer)?,
    ];
    let mut seconds = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (package, seconds) in packages.iter().zip(&mut seconds) {
            seconds.push(package.build()?);
        }
    }
    let [tower, bare, peer] = seconds;
    let per_peer = |seconds: &[f64]| {
        let ratios = seconds.iter().zip(&peer).map(|(own, peer)| own / peer);
        median(ratios.collect())
    };
    Ok(vec![
        Figure::at_most(
            "clean_build_without_default_features_per_webhook_verify",
            per_peer(&bare),
            0.8,
        ),
        Figure::reported("clean_build_per_webhook_verify", per_peer(&tower)),
        Figure::reported("clean_build_seconds", median(tower)),
        Figure::reported("clean_build_seconds_without_default_features", median(bare)),
        Figure::reported("clean_build_seconds_of_webhook_verify", median(peer)),
    ])
}

/// Temporary package that is removed on drop.
struct Package(PathBuf);

impl Package {
    fn new(name: &str, dependency: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("scrupp-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/lib.rs"), "")?;
        let manifest = format!(
            "[package]\nname = \"weighed\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{dependency}\n"
        );
        fs::write(folder.join("Cargo.toml"), manifest)?;
        let package = Self(folder);
        output(&mut package.cargo("fetch"))?;
        Ok(package)
    }

    fn build(&self) -> Result<f64> {
        let target = self.0.join("target");
        if target.exists() {
            fs::remove_dir_all(&target)?;
        }
        let start = Instant::now();
        let mut cargo = self.cargo("build");
        output(
            cargo
                .args(["--release", "--offline", "--target-dir"])
                .arg(target),
        )?;
        Ok(start.elapsed().as_secs_f64())
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .arg(command)
            .current_dir(&self.0)
            .env_remove("RUSTFLAGS");
        cargo
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Returns the size of the program that `scripts/check-no-std` builds.
pub(crate) fn no_std_size() -> Result<Vec<Figure>> {
    let said = output(&mut Command::new(root().join("scripts/check-no-std")))?;
    let bytes = said.lines().find_map(|line| {
        let (start, _) = line.split_once(" bytes stripped")?;
        start.rsplit(' ').next()?.parse().ok()
    });
    let bytes = bytes.ok_or("check-no-std does not report the size")?;
    Ok(vec![Figure::reported("no_std_program_bytes", bytes)])
}

/// Returns the standard output of a command. Fails if the command fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed:\n{said}").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns the root of the workspace.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

//! Output of a run: a table, `target/bench.tsv` and, after a full run, the README and its chart.

use std::{fmt::Write, fs, process::Command};

use crate::{
    chart,
    figure::Figure,
    load::Result,
    packages::{output, root},
};

const START: &str = "<!-- Written by scripts/bench from here -->\n";
const END: &str = "<!-- to here. -->";

pub(crate) fn tsv(figures: &[Figure]) -> String {
    let mut text = String::new();
    for figure in figures {
        let _ = writeln!(text, "{figure}");
    }
    text
}

/// Width of the longest name.
const NAME_WIDTH: usize = 60;

/// Returns the figures as an aligned table.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text = String::new();
    for figure in figures {
        let (name, value) = (&figure.name, figure.value());
        let limit = figure.limit.to_string();
        let _ = writeln!(
            text,
            "{name:NAME_WIDTH$}  {value:>10}  {limit:>10}  {}",
            figure.verdict()
        );
    }
    text
}

/// Replaces the results in `benches/README.md` and the chart.
pub(crate) fn write_readme(figures: &[Figure]) -> Result<()> {
    let path = root().join("benches/README.md");
    let readme = fs::read_to_string(&path)?;
    let (before, rest) = readme
        .split_once(START)
        .ok_or("the README has no start mark")?;
    let (_, after) = rest.split_once(END).ok_or("the README has no end mark")?;
    let results = results(figures)?;
    fs::write(path, format!("{before}{START}{results}{END}{after}"))?;
    fs::write(root().join("benches/verify-256.svg"), chart::svg(figures))?;
    Ok(())
}

fn results(figures: &[Figure]) -> Result<String> {
    let mut text = format!("\n{}\n", environment()?);
    text.push_str("| figure | value | limit | |\n|---|---:|---:|---|\n");
    for figure in figures {
        let (name, value, verdict) = (&figure.name, figure.value(), figure.verdict());
        let mark = if figure.is_short() {
            "**short**"
        } else {
            verdict
        };
        let _ = writeln!(text, "| {name} | {value} | {} | {mark} |", figure.limit);
    }
    text.push('\n');
    Ok(text)
}

/// Returns the description of the machine and the versions.
fn environment() -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(": "));
        value.map_or("unknown", |(_, value)| value).to_owned()
    };
    let cores = std::thread::available_parallelism()?;
    let kernel = output(Command::new("uname").args(["-sr"]))?;
    let rustc = output(Command::new("rustc").arg("--version"))?;
    let tree = output(Command::new("cargo").args([
        "tree",
        "--package",
        "scrupp-verify-benches",
        "--edges",
        "normal",
        "--depth",
        "1",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let versions: Vec<_> = tree
        .lines()
        .filter(|line| !line.contains('('))
        .map(|line| line.replacen(" v", " ", 1))
        .collect();
    Ok(format!(
        "{} ({}), family {} model {}, {cores} cores, {}; {}.\n\nWith {}.\n",
        field("model name"),
        if field("flags").contains("sha_ni") {
            "with SHA extensions"
        } else {
            "without SHA extensions"
        },
        field("cpu family"),
        field("model\t"),
        kernel.trim(),
        rustc.trim(),
        versions.join(", "),
    ))
}

//! Measures the cost of verification, and compares the figures with limits.
//!
//! `scripts/bench` runs this program. The exit code is 1 if a figure misses its limit, and 2 if a figure cannot be
//! measured.

mod chart;
mod counts;
mod databases;
mod figure;
mod layers;
mod load;
mod memory;
mod packages;
mod peers;
mod polls;
mod report;
mod rounds;
mod store;
mod verifying;

use std::{env, fs, process::ExitCode};

use figure::Figure;
use load::Result;

fn main() -> ExitCode {
    let (mut quick, mut tsv) = (false, false);
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--quick" => quick = true,
            "--tsv" => tsv = true,
            _ => {
                eprintln!("usage: scripts/bench [--quick] [--tsv]");
                return ExitCode::from(2);
            }
        }
    }
    match run(quick, tsv) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Measures all figures. Returns true if every figure is within its limit.
fn run(quick: bool, tsv: bool) -> Result<bool> {
    let mut figures = Vec::new();
    measure(quick, |group| {
        let lines = if tsv {
            report::tsv(&group)
        } else {
            report::table(&group)
        };
        print!("{lines}");
        figures.extend(group);
    })?;
    fs::write(
        packages::root().join("target/bench.tsv"),
        report::tsv(&figures),
    )?;
    if !quick {
        report::write_readme(&figures)?;
    }
    Ok(!figures.iter().any(Figure::is_short))
}

fn measure(quick: bool, mut show: impl FnMut(Vec<Figure>)) -> Result<()> {
    show(verifying::figures(if quick { 3000 } else { 20_000 }));
    show(layers::figures(if quick { 2000 } else { 10_000 }));
    show(counts::figures()?);
    show(polls::figures(if quick { 50 } else { 500 })?);
    show(store::figures(if quick { 300 } else { 3000 }));
    show(databases::figures(if quick { 20 } else { 200 })?);
    let (rounds, seconds) = if quick { (5, 1) } else { (11, 2) };
    show(load::figures(rounds, seconds, !quick)?);
    show(memory::figures()?);
    show(packages::crates_in_the_tree()?);
    if !quick {
        show(packages::build_time(3)?);
        show(packages::no_std_size()?);
    }
    Ok(())
}

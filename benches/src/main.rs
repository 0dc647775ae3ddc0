//! Measures what verification costs, and compares it with its goals.
//!
//! `scripts/bench` runs it. It ends with 1 where a figure is short of its goal, and with 2 where
//! something cannot be measured.

mod chart;
mod counts;
mod figure;
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

/// Whether every figure reaches its goal.
fn run(quick: bool, tsv: bool) -> Result<bool> {
    let figures = measure(quick)?;
    let lines = report::tsv(&figures);
    fs::write(packages::root().join("target/bench.tsv"), &lines)?;
    if tsv {
        print!("{lines}");
    } else {
        print!("{}", report::table(&figures));
    }
    if !quick {
        report::write_readme(&figures)?;
    }
    Ok(!figures.iter().any(Figure::is_short))
}

fn measure(quick: bool) -> Result<Vec<Figure>> {
    let progress = |what: &str| eprintln!("measuring {what}");
    progress("verification");
    let mut figures = verifying::figures(if quick { 3000 } else { 20_000 });
    progress("allocations and copies");
    figures.extend(counts::figures()?);
    progress("the longest poll");
    figures.extend(polls::figures(if quick { 50 } else { 500 })?);
    progress("the store");
    figures.extend(store::figures(if quick { 300 } else { 3000 }));
    progress("servers under load");
    let (rounds, seconds) = if quick { (5, 1) } else { (11, 2) };
    figures.extend(load::figures(rounds, seconds, !quick)?);
    progress("memory of servers");
    figures.extend(memory::figures()?);
    progress("dependencies");
    figures.extend(packages::crates_in_the_tree()?);
    if !quick {
        progress("clean builds");
        figures.extend(packages::build_time(3)?);
        progress("the program without std");
        figures.extend(packages::no_std_size()?);
    }
    Ok(figures)
}

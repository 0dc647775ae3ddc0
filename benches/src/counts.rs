//! Allocations and copies, counted by the program `allocations`.

use std::process::Command;

use crate::{
    figure::Figure,
    load::{Result, program},
    packages::output,
};

const LIMITS: [(&str, f64); 5] = [
    ("core_allocations", 0.0),
    ("tower_layer_allocations", 5.0),
    ("tower_layer_allocations_in_axum", 6.0),
    ("tower_body_bytes_copied", 0.0),
    ("actix_body_bytes_copied", 0.0),
];

pub(crate) fn figures() -> Result<Vec<Figure>> {
    let lines = output(&mut Command::new(program("allocations")?))?;
    let counted = |name: &str| {
        let mut pairs = lines.lines().filter_map(|line| line.split_once('\t'));
        let (_, count) = pairs.find(|(candidate, _)| *candidate == name)?;
        count.parse().ok()
    };
    LIMITS
        .iter()
        .map(|&(name, limit)| {
            let count = counted(name).ok_or_else(|| format!("{name} was not counted"))?;
            Ok(Figure::at_most(name, count, limit))
        })
        .collect()
}

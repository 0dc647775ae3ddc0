//! Interleaved timing of several candidates, A B C A B C, so that other load on the machine affects all of them.

use std::time::{Duration, Instant};

/// Candidates that are timed against each other.
#[derive(Default)]
pub(crate) struct Rounds<'a> {
    entrants: Vec<Entrant<'a>>,
}

struct Entrant<'a> {
    name: &'static str,
    turn: Box<dyn FnMut() -> Duration + 'a>,
    seconds: Vec<f64>,
}

impl<'a> Rounds<'a> {
    /// Adds a candidate whose time per call is the mean of `repeats` calls in each round.
    pub(crate) fn add(&mut self, name: &'static str, repeats: u32, mut call: impl FnMut() + 'a) {
        self.add_timed(name, move || {
            let start = Instant::now();
            for _ in 0..repeats {
                call();
            }
            start.elapsed() / repeats
        });
    }

    /// Adds a candidate that measures its own time, excluding its preparation.
    pub(crate) fn add_timed(&mut self, name: &'static str, turn: impl FnMut() -> Duration + 'a) {
        self.entrants.push(Entrant {
            name,
            turn: Box::new(turn),
            seconds: Vec::new(),
        });
    }

    /// Runs each candidate once per round. Before that, a tenth as many rounds are a warm-up.
    pub(crate) fn run(mut self, rounds: u32) -> Times {
        for round in 0..rounds + rounds / 10 {
            for entrant in &mut self.entrants {
                let seconds = (entrant.turn)().as_secs_f64();
                if round >= rounds / 10 {
                    entrant.seconds.push(seconds);
                }
            }
        }
        Times {
            times: self
                .entrants
                .into_iter()
                .map(|entrant| (entrant.name, entrant.seconds))
                .collect(),
        }
    }
}

/// Times of all rounds.
pub(crate) struct Times {
    times: Vec<(&'static str, Vec<f64>)>,
}

impl Times {
    /// Returns the median in seconds, or NaN if no candidate has this name.
    pub(crate) fn median(&self, name: &str) -> f64 {
        median(self.of(name).to_vec())
    }

    /// Returns the median of the ratios of `name` to `other` in the same round.
    pub(crate) fn ratio(&self, name: &str, other: &str) -> f64 {
        let pairs = self.of(name).iter().zip(self.of(other));
        median(pairs.map(|(time, other)| time / other).collect())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.times.iter().map(|(name, _)| *name)
    }

    fn of(&self, name: &str) -> &[f64] {
        let found = self.times.iter().find(|(candidate, _)| *candidate == name);
        found.map_or(&[], |(_, seconds)| seconds)
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

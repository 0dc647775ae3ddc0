//! Histories of concurrent operations, and a check that the rules explain their results.

use core::time::Duration;
use std::{collections::HashSet, time::Instant};

use scrupp_verify_core::dedup::DeliveryStore;
use tokio::time::timeout;

use crate::model::{Model, Op, attempt, id_of};

/// Time limit of an operation, like the store timeout of an adapter.
pub(crate) const LIMIT: Duration = Duration::from_millis(1200);

/// Time after a failure within which a claim may still take effect.
pub(crate) const LATE: Duration = Duration::from_secs(2);

/// Time after a failure within which another operation may still take effect. A store may retry a
/// commit or a release.
const LINGER: Duration = Duration::from_secs(60);

/// Largest difference between the clock of a store and the local clock.
const TOLERANCE: Duration = Duration::from_millis(20);

/// An operation on one delivery.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) op: Op,
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
    /// The result, or `None` for a failure. A failed operation takes effect at most once, before
    /// `end`.
    pub(crate) result: Option<String>,
}

impl Event {
    /// Returns the token that holds the claim after this operation.
    fn holder(&self) -> Option<u8> {
        match self.op {
            Op::Claim(by, _) => Some(by),
            _ => None,
        }
    }

    /// Returns true if the row that this operation wrote can be live during another operation. If
    /// `is_expired` is true, checks whether the row can be expired instead.
    fn can_be(&self, is_expired: bool, other: &Self) -> bool {
        let (Op::Claim(_, duration) | Op::Commit(_, duration)) = self.op else {
            return false;
        };
        match is_expired {
            true => other.end + TOLERANCE >= self.begin + duration,
            false => other.begin <= self.end + duration + TOLERANCE,
        }
    }
}

/// Runs an operation with a time limit, as an adapter does. Replaces commits in a transaction
/// with claims.
pub(crate) async fn observe<S: DeliveryStore>(store: &S, number: u64, op: Op) -> Event {
    let op = match op {
        // A claim is used because claims conflict most often.
        Op::CommitIn(by, lease) => Op::Claim(by, lease),
        op => op,
    };
    let begin = Instant::now();
    let result = timeout(LIMIT, attempt(store, id_of(number), op)).await;
    let result = result.ok().flatten().and_then(Result::ok);
    let late = match op {
        _ if result.is_some() => Duration::ZERO,
        Op::Claim(..) => LATE,
        _ => LINGER,
    };
    let end = Instant::now() + late;
    Event {
        op,
        begin,
        end,
        result,
    }
}

/// Panics unless some order of the operations on a delivery explains their results. Each operation
/// takes effect between its begin and its end.
pub(crate) fn check(mut events: Vec<Event>) {
    assert!(events.len() <= 128, "{} events", events.len());
    events.sort_by_key(|event| event.begin);
    if !is_explained(&events, 0, None, &mut HashSet::new()) {
        let start = events[0].begin;
        for event in events {
            let [begin, end] = [event.begin, event.end].map(|at| at - start);
            println!("{begin:?} to {end:?}: {:?} {:?}", event.op, event.result);
        }
        panic!("the rules do not explain these results");
    }
}

/// Returns true if some order of the operations outside of `done` explains their results, after
/// `writer` wrote the row.
fn is_explained(
    events: &[Event],
    done: u128,
    writer: Option<usize>,
    seen: &mut HashSet<(u128, Option<usize>)>,
) -> bool {
    let is_done = |number: usize| done & (1 << number) != 0;
    let open = (0..events.len()).filter(|number| !is_done(*number));
    let required = open
        .clone()
        .filter(|number| events[*number].result.is_some());
    // The next operation must begin before any operation with a result ends.
    let Some(due) = required.map(|number| events[number].end).min() else {
        return true;
    };
    if !seen.insert((done, writer)) {
        return false;
    }
    let done_events = (0..events.len()).filter(|number| is_done(*number));
    let latest = done_events.map(|number| events[number].begin).max();
    for number in open {
        let event = &events[number];
        if event.begin > due || latest.is_some_and(|latest| latest > event.end) {
            continue;
        }
        for is_expired in [false, true] {
            let row = writer.map(|writer| &events[writer]);
            if !row.map_or(!is_expired, |row| row.can_be(is_expired, event)) {
                continue;
            }
            let row = row.map(|row| (row.holder(), is_expired));
            let mut model = Model { row };
            let result = model.run(event.op);
            if event.result.as_ref().is_some_and(|actual| actual != result) {
                continue;
            }
            let next = match result {
                "Granted" | "true" => Some(number),
                _ => writer.filter(|_| model.row.is_some()),
            };
            // A failed operation without an effect needs no place in the order.
            let has_effect = event.result.is_some() || next != writer;
            if has_effect && is_explained(events, done | 1 << number, next, seen) {
                return true;
            }
        }
    }
    false
}

#[test]
fn rejects_histories_that_break_a_rule() {
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    let start = Instant::now();
    let event = |begin: u64, end: u64, op, result: &str| Event {
        op,
        begin: start + Duration::from_millis(begin),
        end: start + Duration::from_millis(end),
        result: (result != "failed").then(|| result.to_owned()),
    };
    let claim = |by| Op::Claim(by, second);
    let commit = |by| Op::Commit(by, minute);
    let release = |by| Op::Release(by);
    for (name, is_valid, events) in [
        (
            "two concurrent claims, one granted",
            true,
            vec![
                event(0, 100, claim(1), "Granted"),
                event(0, 100, claim(2), "InFlight"),
            ],
        ),
        (
            "two concurrent claims, both granted",
            false,
            vec![
                event(0, 100, claim(1), "Granted"),
                event(0, 100, claim(2), "Granted"),
            ],
        ),
        (
            "two concurrent claims, none granted",
            false,
            vec![
                event(0, 100, claim(1), "InFlight"),
                event(0, 100, claim(2), "InFlight"),
            ],
        ),
        (
            "granted during a release",
            true,
            vec![
                event(0, 10, claim(1), "Granted"),
                event(20, 100, release(1), "()"),
                event(50, 60, claim(2), "Granted"),
            ],
        ),
        (
            "granted before a release",
            false,
            vec![
                event(0, 10, claim(1), "Granted"),
                event(20, 40, claim(2), "Granted"),
                event(50, 60, release(1), "()"),
            ],
        ),
        (
            "granted after an acknowledgement",
            false,
            vec![
                event(0, 10, claim(1), "Granted"),
                event(20, 30, commit(1), "true"),
                event(40, 50, claim(2), "Granted"),
            ],
        ),
        (
            "granted after the lease expired",
            true,
            vec![
                event(0, 10, claim(1), "Granted"),
                event(1050, 1060, claim(2), "Granted"),
                event(1070, 1080, commit(1), "false"),
            ],
        ),
        (
            "commit after the claim was lost",
            false,
            vec![
                event(0, 10, claim(1), "Granted"),
                event(1050, 1060, claim(2), "Granted"),
                event(1070, 1080, commit(1), "true"),
            ],
        ),
        (
            "in flight after the lease expired",
            false,
            vec![
                event(0, 10, claim(1), "Granted"),
                event(1050, 1060, claim(2), "InFlight"),
            ],
        ),
        (
            "a failed claim that took effect later",
            true,
            vec![
                event(0, 500, claim(1), "failed"),
                event(10, 20, claim(2), "Granted"),
                event(30, 40, release(2), "()"),
                event(50, 60, claim(3), "InFlight"),
            ],
        ),
        (
            "a failed claim that took effect too late",
            false,
            vec![
                event(0, 40, claim(1), "failed"),
                event(50, 60, claim(2), "Granted"),
                event(70, 80, release(2), "()"),
                event(90, 100, claim(3), "InFlight"),
            ],
        ),
        (
            "granted after an acknowledgement by a failed commit",
            false,
            vec![
                event(0, 10, claim(1), "Granted"),
                event(20, 30, commit(1), "failed"),
                event(40, 50, claim(2), "Acknowledged"),
                event(60, 70, claim(2), "Granted"),
            ],
        ),
    ] {
        let explained = is_explained(&events, 0, None, &mut HashSet::new());
        assert_eq!(explained, is_valid, "{name}");
    }
}

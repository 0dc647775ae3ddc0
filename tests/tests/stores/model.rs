use core::time::Duration;

use scrupp_verify_core::dedup::{DeliveryId, DeliveryStore};

use crate::{RETENTION, id, token};

/// An operation by one of three tokens. A duration of zero expires at once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Claim(u8, Duration),
    Commit(u8, Duration),
    /// A commit in a transaction of the handler, which requires a live claim.
    CommitIn(u8, Duration),
    Release(u8),
}

impl Op {
    /// Returns a random operation with one of these durations.
    pub(crate) fn random(durations: &[Duration]) -> Self {
        let by = fastrand::u8(1..=3);
        let duration = durations[fastrand::usize(..durations.len())];
        match fastrand::u8(..10) {
            0..4 => Self::Claim(by, duration),
            4..6 => Self::Commit(by, duration),
            6..8 => Self::CommitIn(by, duration),
            _ => Self::Release(by),
        }
    }
}

/// A model of the rules for a single delivery, without a clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Model {
    /// The row, if there is one: the holder of the claim, or `None` for an acknowledgement, and
    /// true if the row has expired.
    pub(crate) row: Option<(Option<u8>, bool)>,
}

impl Model {
    /// Panics unless the result of an operation follows the rules.
    pub(crate) fn check(&mut self, number: u64, op: Op, result: &str) {
        let expected = match (op, self.row) {
            // The store may have removed the expired row.
            (Op::CommitIn(by, retention), Some((Some(holder), true))) if holder == by => {
                if result == "true" {
                    self.row = Some((None, retention.is_zero()));
                } else {
                    self.row = None;
                }
                assert!(["true", "false"].contains(&result), "{result}");
                return;
            }
            _ => self.run(op),
        };
        assert_eq!(result, expected, "{op:?} on {number}");
    }

    pub(crate) fn run(&mut self, op: Op) -> &'static str {
        let live = self.row.filter(|(_, is_expired)| !is_expired);
        let by_another = |by| matches!(live, Some((Some(holder), _)) if holder != by);
        match op {
            Op::Claim(..) if matches!(live, Some((None, _))) => "Acknowledged",
            Op::Claim(by, _) if by_another(by) => "InFlight",
            Op::Claim(by, lease) => {
                self.row = Some((Some(by), lease.is_zero()));
                "Granted"
            }
            Op::Commit(by, _) | Op::CommitIn(by, _) if by_another(by) => "false",
            Op::CommitIn(..) if !matches!(live, Some((Some(_), _))) => "false",
            Op::Commit(_, retention) | Op::CommitIn(_, retention) => {
                self.row = Some((None, retention.is_zero()));
                "true"
            }
            Op::Release(by) => {
                if matches!(self.row, Some((Some(holder), _)) if holder == by) {
                    self.row = None;
                }
                "()"
            }
        }
    }
}

/// Runs an operation. Returns `None` for a commit in a transaction.
pub(crate) async fn run<S>(store: &S, id: DeliveryId, op: Op) -> Option<String>
where
    S: DeliveryStore,
    S::Error: core::fmt::Debug,
{
    attempt(store, id, op).await.map(Result::unwrap)
}

pub(crate) async fn attempt<S>(
    store: &S,
    id: DeliveryId,
    op: Op,
) -> Option<Result<String, S::Error>>
where
    S: DeliveryStore,
{
    Some(match op {
        Op::Claim(by, lease) => (store.claim(id, token(by), lease).await).map(text),
        Op::Commit(by, retention) => (store.commit(id, token(by), retention).await).map(text),
        Op::Release(by) => store.release(id, token(by)).await.map(text),
        Op::CommitIn(..) => return None,
    })
}

fn text(result: impl core::fmt::Debug) -> String {
    format!("{result:?}")
}

/// Returns random operations on 200 deliveries.
pub(crate) fn operations(count: usize) -> Vec<(u64, Op)> {
    let durations = [Duration::ZERO, RETENTION];
    let step = |_| (fastrand::u64(..200), Op::random(&durations));
    (0..count).map(step).collect()
}

/// Returns the number of operations, 2000 unless `SCRUPP_STORE_OPERATIONS` is set.
pub(crate) fn count() -> usize {
    let count = std::env::var("SCRUPP_STORE_OPERATIONS");
    count.map_or(2_000, |count| count.parse().unwrap())
}

/// Returns an id that no other test uses.
pub(crate) fn id_of(number: u64) -> DeliveryId {
    id(1_000_000 + number)
}

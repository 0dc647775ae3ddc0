use core::time::Duration;

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use scrupp_verify_core::dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore};

use crate::{RETENTION, id, token};

/// One operation by one of three tokens. A duration of zero expires at once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Claim(u8, Duration),
    Commit(u8, Duration),
    /// The strict commit inside a handler's transaction.
    CommitIn(u8, Duration),
    Release(u8),
}

/// The rules once more, in the plainest way, for a clock that stands still.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Model {
    /// The holder of a claim, or `None` for an acknowledgement; and whether it has expired.
    row: Option<(Option<u8>, bool)>,
}

impl Model {
    /// Panics unless the result of an operation follows the rules.
    pub(crate) fn check(&mut self, number: u64, op: Op, result: &str) {
        let expected = match (op, self.row) {
            // An expired row may have been removed before.
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

    fn run(&mut self, op: Op) -> &'static str {
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

pub(crate) async fn run<S>(store: &S, id: DeliveryId, op: Op) -> Option<String>
where
    S: DeliveryStore,
    S::Error: core::fmt::Debug,
{
    Some(match op {
        Op::Claim(by, lease) => claim(store, id, token(by), lease).await,
        Op::Commit(by, retention) => {
            let committed = store.commit(id, token(by), retention).await;
            format!("{:?}", committed.unwrap())
        }
        Op::Release(by) => format!("{:?}", store.release(id, token(by)).await.unwrap()),
        Op::CommitIn(..) => return None,
    })
}

async fn claim<S>(store: &S, id: DeliveryId, token: ClaimToken, lease: Duration) -> String
where
    S: DeliveryStore,
    S::Error: core::fmt::Debug,
{
    let claim: Claim = store.claim(id, token, lease).await.unwrap();
    format!("{claim:?}")
}

/// Random operations on a few deliveries.
pub(crate) fn operations(count: usize) -> Vec<(u64, Op)> {
    let by = 1..=3_u8;
    let duration = prop_oneof![Just(Duration::ZERO), Just(RETENTION)];
    let op = prop_oneof![
        4 => (by.clone(), duration.clone()).prop_map(|(by, lease)| Op::Claim(by, lease)),
        2 => (by.clone(), duration.clone()).prop_map(|(by, retention)| Op::Commit(by, retention)),
        2 => (by.clone(), duration).prop_map(|(by, retention)| Op::CommitIn(by, retention)),
        2 => by.prop_map(Op::Release),
    ];
    let step = (0..200_u64, op);
    let mut runner = TestRunner::new(ProptestConfig::default());
    (0..count)
        .map(|_| step.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// The number of operations: more in the long run.
pub(crate) fn count() -> usize {
    let count = std::env::var("SCRUPP_STORE_OPERATIONS");
    count.map_or(5_000, |count| count.parse().unwrap())
}

/// Ids that no other test uses.
pub(crate) fn id_of(number: u64) -> DeliveryId {
    id(1_000_000 + number)
}

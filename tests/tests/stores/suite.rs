//! The tests of every store.

use core::{fmt::Debug, time::Duration};
use std::collections::BTreeMap;

use scrupp_verify_core::dedup::{Claimed, DeliveryStore};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    RETENTION, grants_each_delivery_once,
    histories::{Event, check, observe},
    model::{Model, Op, count, id_of, operations, run},
    remembers, token,
};

/// A kind of store, with the server or the file that its stores share.
pub(crate) trait Shape: Sized {
    type Store: DeliveryStore<Error: Debug + Send> + Clone + Send + Sync + 'static;

    /// Starts the server or creates the file.
    async fn start() -> Self;

    /// Returns another store with its own connections.
    async fn store(&self) -> Self::Store;

    /// Acknowledges a delivery in a transaction. Returns `None` if the store has no transactions.
    async fn commit_in(&self, _: &Self::Store, _: &Claimed) -> Option<bool> {
        None
    }
}

/// Asserts that each of many random operations has the result that the model expects.
pub(crate) async fn follows_the_model<S: Shape>() {
    let shape = S::start().await;
    let store = shape.store().await;
    remembers(&store).await;
    // Waits after each operation, so that a duration of zero has expired by the clock of the store.
    let mut models = vec![(Model::default(), Instant::now()); 200];
    for (number, op) in operations(count()) {
        let (model, expires_at) = &mut models[number as usize];
        sleep_until(*expires_at).await;
        let result = match op {
            Op::CommitIn(by, retention) => {
                let claimed = Claimed::new(id_of(number), token(by), retention);
                let committed = shape.commit_in(&store, &claimed).await;
                committed.map(|committed| committed.to_string())
            }
            _ => run(&store, id_of(number), op).await,
        };
        if let Some(result) = result {
            model.check(number, op, &result);
            *expires_at = Instant::now() + Duration::from_millis(3);
        }
    }
}

/// Asserts that some order of concurrent operations explains their results.
pub(crate) async fn results_of_concurrent_tasks_follow_the_rules<S: Shape>() {
    const SHORT: Duration = Duration::from_millis(50);

    let shape = S::start().await;
    let stores = [shape.store().await, shape.store().await];
    grants_each_delivery_once(|| stores[fastrand::usize(..2)].clone()).await;
    let mut seen = BTreeMap::<String, usize>::new();
    for round in 0..6 {
        let mut deliveries = JoinSet::new();
        for number in round * 5..(round + 1) * 5 {
            let mut tasks = JoinSet::new();
            for task in 0..6 {
                let store = stores[task % 2].clone();
                tasks.spawn(async move {
                    let mut events = Vec::new();
                    for _ in 0..8 {
                        let op = Op::random(&[SHORT, SHORT, SHORT, RETENTION]);
                        events.push(observe(&store, number, op).await);
                        sleep(Duration::from_millis(fastrand::u64(..60))).await;
                    }
                    events
                });
            }
            deliveries.spawn(async move { tasks.join_all().await.concat() });
        }
        for events in deliveries.join_all().await {
            for Event { op, result, .. } in &events {
                let name = match op {
                    Op::Claim(..) => "claim",
                    Op::Commit(..) => "commit",
                    _ => "release",
                };
                if let Some(result) = result {
                    *seen.entry(format!("{name} {result}")).or_default() += 1;
                }
            }
            check(events);
        }
    }
    // Every result occurs more than ten times.
    seen.retain(|_, count| *count > 10);
    let results = [
        "claim Acknowledged",
        "claim Granted",
        "claim InFlight",
        "commit false",
        "commit true",
        "release ()",
    ];
    assert!(seen.keys().eq(&results), "{seen:?}");
}

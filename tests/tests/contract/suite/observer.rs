//! The contract for observations.

use core::{future::pending, time::Duration};
use std::sync::{Arc, Mutex};

use scrupp_verify_core::{Account, RejectionKind, dedup::Claim};
use tokio::{
    task::LocalSet,
    time::{sleep, timeout},
};

use super::adapter::{Observation, ScruppVerify, verify, verify_with_lookup};
use crate::{
    store::{Behavior, RecordingStore},
    support::{EVENT, Failed, Middleware, Outcome, Turn, genuine, secret, signed, unsigned},
};

const SECOND: Duration = Duration::from_secs(1);
const LARGE: &[u8] = &[b' '; 40_000];

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    /// Returns the observations since the last call.
    fn take(&self) -> Vec<String> {
        core::mem::take(&mut self.0.lock().unwrap())
    }

    /// Returns an observer that records a line for each observation.
    fn observer(&self) -> impl Fn(&Observation<'_>) + use<> {
        let seen = self.clone();
        move |observation| seen.0.lock().unwrap().push(line(observation))
    }
}

fn line(observation: &Observation<'_>) -> String {
    match *observation {
        Observation::Verified {
            verified,
            body_bytes,
            time,
            ..
        } => format!(
            "verified by {}, {body_bytes} bytes in {time:?}",
            verified.secret_index()
        ),
        Observation::Handled { status, time, .. } => format!("handled {status:?} in {time:?}"),
        Observation::HandlerDropped { time, .. } => format!("dropped after {time:?}"),
        Observation::Duplicate { verified, .. } => format!("duplicate of {}", verified.time()),
        Observation::Rejected {
            rejection, account, ..
        } => format!("rejected {:?} {}", rejection.kind(), account.is_some()),
        Observation::Store {
            operation,
            result,
            time,
            ..
        } => format!("{} {} in {time:?}", operation.as_str(), result.as_str()),
        Observation::UnverifiedBytes { change, .. } => format!("{change:+} bytes"),
        Observation::UnverifiedBytesLimit { change, .. } => format!("limit {change:+}"),
        Observation::LeaseLost { .. } => "lease lost".to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// Returns an adapter and its observations, without the first two: the limit of the budget and a
/// rejection.
async fn observed() -> (ScruppVerify, Seen) {
    let seen = Seen::default();
    let verify = verify().observe(seen.observer());
    verify.reject(unsigned()).await;
    let limit = ["limit +67108864", "rejected MissingSignature false"];
    assert_eq!(seen.take(), limit);
    (verify, seen)
}

#[tokio::test(start_paused = true)]
async fn observes_the_outcome_of_each_delivery_once() {
    let (verify, seen) = observed().await;
    let verified = "verified by 0, 65 bytes in 0ns";
    for (outcome, handled) in [
        (Ok(202), "handled Some(202) in 2s"),
        (Ok(500), "handled Some(500) in 2s"),
    ] {
        let handler = move |_| async move {
            sleep(2 * SECOND).await;
            outcome
        };
        verify.deliver(genuine(EVENT), handler).await.unwrap();
        assert_eq!(seen.take(), [verified, handled]);
    }
    let failed = verify.deliver(genuine(EVENT), |_| async { Err(Failed) });
    assert!(failed.await.is_err());
    let seen_of_failed = seen.take();
    assert_eq!(seen_of_failed.len(), 2, "{seen_of_failed:?}");
    assert!(seen_of_failed[1].starts_with("handled "));
    let hangs = verify.deliver(genuine(EVENT), |_| pending());
    assert!(timeout(SECOND, hangs).await.is_err());
    assert_eq!(seen.take(), [verified, "dropped after 1s"]);
    verify
        .reject(signed(EVENT).body([Turn::Data(b"forged")]))
        .await;
    assert_eq!(seen.take(), ["rejected SignatureMismatch false"]);
}

#[tokio::test(start_paused = true)]
async fn observes_the_time_of_a_slow_body_and_the_account() {
    let seen = Seen::default();
    let verify = verify_with_lookup(|_| Ok(Some(Account::new("17", secret()))));
    let verify = verify.observe(seen.observer());
    let slow = || {
        signed(EVENT)
            .length(EVENT.len())
            .body([Turn::Wait(2 * SECOND), Turn::Data(EVENT)])
    };
    verify.accept(slow()).await;
    assert_eq!(seen.take()[1], "verified by 0, 65 bytes in 2s");
    verify
        .reject(signed(b"another").body([Turn::Data(EVENT)]))
        .await;
    assert_eq!(seen.take(), ["rejected SignatureMismatch true"]);
}

#[tokio::test(start_paused = true)]
async fn observes_the_operations_of_the_store() {
    let granted = "claim ok in 0ns";
    let late = Behavior::TakesOneSecond;
    let never = Behavior::NeverReturns;
    for (claim, commit, status, operations) in [
        (late, late, 200, vec!["claim ok in 1s", "commit ok in 1s"]),
        (
            Behavior::Succeeds,
            Behavior::Fails,
            200,
            vec![granted, "commit failed in 0ns"],
        ),
        (
            Behavior::Succeeds,
            never,
            200,
            vec![granted, "commit timed_out in 2s"],
        ),
        (
            Behavior::Succeeds,
            Behavior::LosesTheLease,
            200,
            vec![granted, "commit ok in 0ns", "lease lost"],
        ),
        (
            Behavior::Succeeds,
            Behavior::Succeeds,
            500,
            vec![granted, "release ok in 0ns"],
        ),
    ] {
        let (verify, seen) = observed().await;
        let verify = verify.dedup(RecordingStore {
            claim,
            commit,
            ..RecordingStore::default()
        });
        let handler = move |_| async move { Ok(status) };
        verify.deliver(genuine(EVENT), handler).await.unwrap();
        let mut seen = seen.take();
        seen.retain(|line| !line.starts_with("verified") && !line.starts_with("handled"));
        assert_eq!(seen, operations, "{claim:?} {commit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn observes_claims_that_are_not_granted() {
    for (claimed, outcome) in [
        (Claim::Acknowledged, "duplicate of 1735471800"),
        (Claim::InFlight, "rejected InFlight false"),
    ] {
        let (verify, seen) = observed().await;
        let store = RecordingStore {
            claimed: Some(claimed),
            ..RecordingStore::default()
        };
        let verify = verify.dedup(store);
        verify.reject(genuine(EVENT)).await;
        assert_eq!(seen.take()[1..], ["claim ok in 0ns", outcome]);
    }
}

#[tokio::test(start_paused = true)]
async fn observes_a_release_of_each_kind() {
    for releases_now in [true, false] {
        let (verify, seen) = observed().await;
        let verify = verify.dedup(RecordingStore {
            releases_now,
            ..RecordingStore::default()
        });
        let hangs = verify.deliver(genuine(EVENT), |_| pending());
        assert!(timeout(SECOND, hangs).await.is_err());
        sleep(SECOND).await;
        let seen = seen.take();
        assert_eq!(seen[2..], ["dropped after 1s", "release ok in 0ns"]);
    }
}

#[tokio::test(start_paused = true)]
async fn observes_reservations_of_the_budget() {
    let (verify, seen) = observed().await;
    let half = LARGE.len() / 2;
    let large = |second| {
        signed(LARGE)
            .length(LARGE.len())
            .body([Turn::Data(&LARGE[half..]), second])
    };
    verify.accept(large(Turn::Data(&LARGE[half..]))).await;
    let verified = "verified by 0, 40000 bytes in 0ns";
    assert_eq!(seen.take()[..3], ["+40000 bytes", verified, "-40000 bytes"]);
    verify.reject(large(Turn::Stall)).await;
    let kind = RejectionKind::BodyTimeout;
    let rejected = format!("rejected {kind:?} false");
    let mut lines = seen.take();
    lines.sort();
    assert_eq!(lines, ["+40000 bytes", "-40000 bytes", &rejected]);
}

#[tokio::test(start_paused = true)]
async fn observes_the_end_of_the_budget_with_the_last_clone() {
    let (verify, seen) = observed().await;
    let clone = verify.clone();
    drop(verify);
    clone.accept(genuine(EVENT)).await;
    assert_eq!(seen.take().len(), 2);
    drop(clone);
    assert_eq!(seen.take(), ["limit -67108864"]);
}

#[tokio::test(start_paused = true)]
async fn observer_that_panics_changes_no_verdict() {
    let store = RecordingStore::default();
    let verify = verify()
        .dedup(store.clone())
        .observe(|_: &Observation<'_>| panic!("the observer panics"));
    verify.accept(genuine(EVENT)).await;
    verify.reject(unsigned()).await;
    // Panics while the thread unwinds from another panic.
    let panics = {
        let verify = verify.clone();
        let handler = |_| async { panic!("the handler panics") as Outcome };
        async move { verify.deliver(genuine(EVENT), handler).await }
    };
    let tasks = LocalSet::new();
    let panics = tasks.spawn_local(panics);
    assert!(tasks.run_until(panics).await.unwrap_err().is_panic());
    sleep(SECOND).await;
    let operations = store.operations();
    let of_both = [
        "claim for 60s",
        "commit for 86400s",
        "commit done",
        "claim for 60s",
        "release now",
        "release",
    ];
    assert_eq!(operations, of_both);
}

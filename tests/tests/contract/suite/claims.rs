//! The contract for claims: each delivery is handled once.

use core::{
    future::pending,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use std::sync::Arc;

use scrupp_verify_core::{
    Account, RejectionKind, Tolerance, UnixTime,
    dedup::{Claim, DeliveryId, MemoryStore},
};
use tokio::{
    task::LocalSet,
    time::{Instant, sleep, timeout},
};

use super::adapter::{Dedup, ScruppVerify, verify, verify_with_lookup};
use crate::{
    store::{Behavior, RecordingStore},
    support::{
        EVENT, Failed, Middleware, NOW, Outcome, Turn, genuine, problem, secret, signed, unsigned,
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// Delivers the event again, and panics unless the delivery is a duplicate.
async fn assert_duplicate(verify: &ScruppVerify) {
    let response = verify.reject(genuine(EVENT)).await;
    assert_eq!(response.kind, None);
    assert!(response.is_duplicate);
    let response = response.collect().await;
    assert_eq!((response.status, response.headers), (200, vec![]));
    assert_eq!(response.body, "");
}

#[tokio::test(start_paused = true)]
async fn runs_handler_until_it_succeeds_and_never_again() {
    let verify = verify().dedup(MemoryStore::default());
    for outcome in [Ok(400), Err(Failed), Ok(500), Ok(302), Ok(202)] {
        let handler = move |_| async move { outcome };
        let response = verify.deliver(genuine(EVENT), handler).await;
        assert_eq!(response.map(|response| response.status), outcome);
    }
    for _ in 0..3 {
        assert_duplicate(&verify).await;
    }
}

#[tokio::test(start_paused = true)]
async fn runs_handler_again_after_client_disconnects() {
    let verify = verify().dedup(MemoryStore::default());
    let first = verify.deliver(genuine(EVENT), |_| pending());
    assert!(timeout(SECOND, first).await.is_err());
    verify.accept(genuine(EVENT)).await;
}

#[tokio::test(start_paused = true)]
async fn runs_handler_again_after_panic() {
    let verify = verify().dedup(MemoryStore::default());
    let first = {
        let verify = verify.clone();
        let handler = |_| async { panic!("the handler panics") as Outcome };
        async move { verify.deliver(genuine(EVENT), handler).await }
    };
    let tasks = LocalSet::new();
    let first = tasks.spawn_local(first);
    let result = tasks.run_until(first).await;
    assert!(result.unwrap_err().is_panic());
    verify.accept(genuine(EVENT)).await;
}

#[tokio::test(start_paused = true)]
async fn rejects_second_attempt_while_first_is_in_flight() {
    let verify = verify().dedup(MemoryStore::default());
    let slow = |_| async {
        sleep(2 * SECOND).await;
        Ok(200)
    };
    let mut first = pin!(verify.deliver(genuine(EVENT), slow));
    assert!(timeout(SECOND, &mut first).await.is_err());
    let second = verify.reject(genuine(EVENT)).await.collect().await;
    assert_eq!(second, problem(RejectionKind::InFlight));
    assert_eq!(first.await.unwrap().status, 200);
    assert_duplicate(&verify).await;
}

#[tokio::test(start_paused = true)]
async fn clones_share_claims() {
    let verify = verify().dedup(MemoryStore::default());
    verify.clone().accept(genuine(EVENT)).await;
    assert_duplicate(&verify).await;
}

#[tokio::test(start_paused = true)]
async fn rejects_delivery_if_the_store_is_full() {
    let verify = verify().dedup(MemoryStore::new(1));
    verify.accept(genuine(EVENT)).await;
    let another = verify.reject(genuine(b"another")).await.collect().await;
    assert_eq!(another, problem(RejectionKind::StoreUnavailable));
}

#[tokio::test(start_paused = true)]
async fn rejects_delivery_if_the_claim_fails_or_takes_too_long() {
    for (claim, timeout, elapsed) in [
        (Behavior::Fails, None, Duration::ZERO),
        (Behavior::NeverReturns, None, 2 * SECOND),
        (Behavior::TakesOneSecond, Some(SECOND / 2), SECOND / 2),
    ] {
        let store = RecordingStore {
            claim,
            ..RecordingStore::default()
        };
        let mut dedup = Dedup::new(store.clone());
        if let Some(timeout) = timeout {
            dedup = dedup.store_timeout(timeout);
        }
        let started = Instant::now();
        let rejected = verify().dedup(dedup).reject(genuine(EVENT)).await;
        let expected = problem(RejectionKind::StoreUnavailable);
        assert_eq!(rejected.collect().await, expected, "{claim:?}");
        assert!(started.elapsed() - elapsed <= Duration::from_millis(1));
        // The store may have granted the claim after the adapter gave up.
        sleep(SECOND).await;
        let operations = ["claim for 60s", "release now", "release"];
        assert_eq!(store.operations(), operations, "{claim:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn never_claims_rejected_delivery() {
    let store = RecordingStore::default();
    let verify = verify().dedup(store.clone()).body_limit(EVENT.len());
    for (kind, request) in [
        (RejectionKind::MissingSignature, unsigned()),
        (
            RejectionKind::SignatureMismatch,
            signed(EVENT).body([Turn::Data(b"forged")]),
        ),
        (
            RejectionKind::BodyTooLarge,
            signed(EVENT).body([Turn::Endless(EVENT)]),
        ),
        (
            RejectionKind::BodyBroken,
            signed(EVENT).body([Turn::Data(EVENT), Turn::Error]),
        ),
        (
            RejectionKind::BodyTimeout,
            signed(EVENT).body([Turn::Data(EVENT), Turn::Stall]),
        ),
    ] {
        assert_eq!(verify.reject(request).await.kind, Some(kind));
        assert!(store.operations().is_empty(), "{kind:?}");
    }
}

/// Runs a handler for one second. The client disconnects after `connected`. Waits five more
/// seconds, and returns the operations of the store.
async fn operations(store: RecordingStore, outcome: u16, connected: Duration) -> Vec<String> {
    let handler = move |_| async move {
        sleep(SECOND).await;
        Ok(outcome)
    };
    let verify = verify().dedup(store.clone());
    let delivery = verify.deliver(genuine(EVENT), handler);
    if let Ok(response) = timeout(connected, delivery).await {
        assert_eq!(response.unwrap().status, outcome);
    }
    sleep(5 * SECOND).await;
    store.operations()
}

#[tokio::test(start_paused = true)]
async fn never_releases_claim_that_was_not_granted() {
    for claimed in [Claim::InFlight, Claim::Acknowledged] {
        let store = RecordingStore {
            claimed: Some(claimed),
            ..RecordingStore::default()
        };
        verify().dedup(store.clone()).reject(genuine(EVENT)).await;
        sleep(SECOND).await;
        assert_eq!(store.operations(), ["claim for 60s"], "{claimed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn commits_success_once() {
    for releases_now in [false, true] {
        for status in [200, 204, 299] {
            let store = RecordingStore {
                releases_now,
                ..RecordingStore::default()
            };
            let expected = ["claim for 60s", "commit for 86400s", "commit done"];
            assert_eq!(operations(store, status, 60 * SECOND).await, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn releases_failure_once() {
    for status in [199, 300, 302, 404, 500] {
        let store = RecordingStore::default();
        let expected = ["claim for 60s", "release"];
        assert_eq!(operations(store, status, 60 * SECOND).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn releases_claim_once_after_client_disconnects() {
    let local = RecordingStore {
        releases_now: true,
        ..RecordingStore::default()
    };
    let expected = ["claim for 60s", "release now"];
    assert_eq!(operations(local, 200, SECOND / 2).await, expected);

    let remote = RecordingStore::default();
    let expected = ["claim for 60s", "release now", "release"];
    assert_eq!(operations(remote, 200, SECOND / 2).await, expected);

    let still_claiming = RecordingStore {
        claim: Behavior::TakesOneSecond,
        ..RecordingStore::default()
    };
    assert_eq!(operations(still_claiming, 200, SECOND / 2).await, expected);
}

#[tokio::test(start_paused = true)]
async fn commit_completes_after_client_disconnects() {
    let store = RecordingStore {
        commit: Behavior::TakesOneSecond,
        ..RecordingStore::default()
    };
    let expected = ["claim for 60s", "commit for 86400s", "commit done"];
    assert_eq!(operations(store, 200, 3 * SECOND / 2).await, expected);
}

#[tokio::test(start_paused = true)]
async fn response_stays_a_success_if_the_commit_fails() {
    for commit in [
        Behavior::Fails,
        Behavior::NeverReturns,
        Behavior::LosesTheLease,
        Behavior::Panics,
    ] {
        let store = RecordingStore {
            commit,
            ..RecordingStore::default()
        };
        verify().dedup(store).accept(genuine(EVENT)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn store_gets_lease_and_retention() {
    let store = RecordingStore::default();
    let dedup = Dedup::new(store.clone())
        .lease(Duration::from_secs(30))
        .retention(Duration::from_secs(3600), Tolerance::default());
    verify().dedup(dedup.unwrap()).accept(genuine(EVENT)).await;
    let expected = ["claim for 30s", "commit for 3600s", "commit done"];
    assert_eq!(store.operations(), expected);
}

#[tokio::test(start_paused = true)]
async fn delivery_id_decides_which_deliveries_are_duplicates() {
    let dedup = Dedup::new(MemoryStore::default()).delivery_id(|delivery| {
        let sent = delivery.verified().time().as_secs();
        DeliveryId::of(&[&sent.to_be_bytes(), &delivery.body()[..1]])
    });
    let verify = verify().dedup(dedup);
    verify.accept(genuine(b"{ }")).await;
    assert_duplicate(&verify).await;
    verify.accept(genuine(b"[]")).await;
}

#[tokio::test(start_paused = true)]
async fn runs_handler_once_in_each_scope() {
    let store = MemoryStore::default();
    let scoped = |scope: &str| verify().dedup(Dedup::new(store.clone()).scope(scope));
    let (crm, mail) = (scoped("crm"), scoped("mail"));
    let unscoped = verify().dedup(store.clone());
    for verify in [&crm, &mail, &unscoped] {
        verify.accept(genuine(EVENT)).await;
    }
    for verify in [crm, mail, unscoped, scoped("crm")] {
        assert_duplicate(&verify).await;
    }
}

#[tokio::test(start_paused = true)]
async fn scope_applies_to_custom_delivery_id() {
    let store = MemoryStore::default();
    let scoped = |scope: &str| {
        let dedup = Dedup::new(store.clone()).delivery_id(|_| DeliveryId::of(&[b"one"]));
        verify().dedup(dedup.scope(scope))
    };
    scoped("crm").accept(genuine(EVENT)).await;
    scoped("mail").accept(genuine(EVENT)).await;
    assert_duplicate(&scoped("crm")).await;
}

#[tokio::test(start_paused = true)]
async fn handler_gets_the_claim() {
    let received = verify().accept(genuine(EVENT)).await;
    assert_eq!(received.claimed, None);

    let verify = verify().dedup(Dedup::new(RecordingStore::default()).scope("crm"));
    let first = verify.accept(genuine(EVENT)).await;
    let second = verify.accept(genuine(EVENT)).await;
    let (first_claim, second_claim) = (first.claimed.unwrap(), second.claimed.unwrap());
    let id = DeliveryId::new(&first.delivery);
    assert_eq!(first_claim.id(), DeliveryId::of(&[b"crm", id.as_bytes()]));
    assert_eq!(first_claim.retention(), Duration::from_secs(86_400));
    assert_eq!(first_claim.id(), second_claim.id());
    assert_ne!(first_claim.token(), second_claim.token());
}

#[tokio::test(start_paused = true)]
async fn same_event_of_two_accounts_is_two_deliveries() {
    let lookup = |path: &str| {
        let account = path.strip_prefix("/webhooks/scrupp/");
        Ok(account.map(|account| Account::new(account, secret())))
    };
    let verify = verify_with_lookup(lookup).dedup(MemoryStore::default());
    let of = |path| genuine(EVENT).path(path);
    verify.accept(of("/webhooks/scrupp/a")).await;
    verify.accept(of("/webhooks/scrupp/b")).await;
    assert!(verify.reject(of("/webhooks/scrupp/a")).await.is_duplicate);
    assert!(verify.reject(of("/webhooks/scrupp/b")).await.is_duplicate);
}

#[tokio::test(start_paused = true)]
async fn remembers_delivery_until_the_last_second_of_the_window() {
    let now = Arc::new(AtomicU64::new(0));
    let clock = {
        let now = Arc::clone(&now);
        move || Some(UnixTime::from_secs(now.load(Ordering::Relaxed)))
    };
    let (past, future) = (Duration::from_secs(300), Duration::from_secs(60));
    let shortest = past + future;
    // In the second row, the window exceeds the retention.
    for past in [past, Duration::from_secs(1000)] {
        let store = MemoryStore::default().clock(clock.clone());
        let dedup = Dedup::new(store).retention(shortest, Tolerance::default());
        let verify = verify()
            .clock(clock.clone())
            .tolerance(Tolerance::new(past, future))
            .dedup(dedup.unwrap());

        let window = (past + future).as_secs();
        now.store(NOW - 60, Ordering::Relaxed);
        verify.accept(genuine(EVENT)).await;
        now.store(NOW - 60 + window, Ordering::Relaxed);
        assert_duplicate(&verify).await;
        now.store(NOW - 60 + window + 1, Ordering::Relaxed);
        let late = verify.reject(genuine(EVENT)).await.collect().await;
        assert_eq!(late, problem(RejectionKind::TooOld));
    }
}

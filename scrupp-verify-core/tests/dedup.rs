//! Tests of `MemoryStore`, `Record` and `DeliveryId`.
#![cfg(all(feature = "dedup", feature = "std"))]

use core::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};
use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use scrupp_verify_core::{
    Secret, Signer, UnixTime, Verifier,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore, MemoryStoreError, Record},
};

const LEASE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(86_400);

/// Seconds until a claim expires: one more than the lease, because the clock drops fractions.
const LEASE_SECS: u64 = LEASE.as_secs() + 1;
const RETENTION_SECS: u64 = RETENTION.as_secs() + 1;

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a memory store never waits"),
    }
}

fn id(number: u64) -> DeliveryId {
    DeliveryId::of(&[&number.to_be_bytes()])
}

fn token(number: u8) -> ClaimToken {
    ClaimToken::from_bytes([number; 16])
}

/// Returns a store and its clock.
fn store(capacity: usize) -> (MemoryStore, Arc<AtomicU64>) {
    let secs = Arc::new(AtomicU64::new(1_735_471_800));
    let clock = Arc::clone(&secs);
    let store = MemoryStore::new(capacity)
        .clock(move || Some(UnixTime::from_secs(clock.load(Ordering::Relaxed))));
    (store, secs)
}

#[test]
fn grants_a_delivery_to_one_attempt_until_it_is_acknowledged() {
    let (store, _) = store(10);
    assert_eq!(now(store.claim(id(1), token(1), LEASE)), Ok(Claim::Granted));
    assert_eq!(
        now(store.claim(id(1), token(2), LEASE)),
        Ok(Claim::InFlight)
    );
    assert_eq!(now(store.commit(id(1), token(1), RETENTION)), Ok(true));
    for number in 1..=2 {
        let claim = now(store.claim(id(1), token(number), LEASE));
        assert_eq!(claim, Ok(Claim::Acknowledged));
    }
    assert_eq!(now(store.claim(id(2), token(2), LEASE)), Ok(Claim::Granted));
}

#[test]
fn grants_the_next_attempt_after_a_release() {
    for releases_now in [false, true] {
        let (store, _) = store(10);
        now(store.claim(id(1), token(1), LEASE)).unwrap();
        if releases_now {
            assert!(store.release_now(id(1), token(1)));
        } else {
            now(store.release(id(1), token(1))).unwrap();
        }
        assert_eq!(now(store.claim(id(1), token(2), LEASE)), Ok(Claim::Granted));
    }
}

#[test]
fn a_claim_expires_with_its_lease_and_not_a_second_earlier() {
    let (store, secs) = store(10);
    now(store.claim(id(1), token(1), LEASE)).unwrap();
    secs.fetch_add(LEASE_SECS - 1, Ordering::Relaxed);
    assert_eq!(
        now(store.claim(id(1), token(2), LEASE)),
        Ok(Claim::InFlight)
    );
    secs.fetch_add(1, Ordering::Relaxed);
    assert_eq!(now(store.claim(id(1), token(2), LEASE)), Ok(Claim::Granted));
}

/// Advances the time in milliseconds. The clock has a resolution of one second.
#[test]
fn lease_and_retention_last_at_least_as_long_as_requested() {
    const START_MS: u64 = 1_735_471_800_000;
    let at = |millis: u64| UnixTime::from_secs((START_MS + millis) / 1000);
    let durations_ms = [1, 100, 900, 999, 1000, 1001, 1500, 60_000, 60_900];
    for (duration_ms, begins_ms) in durations_ms.iter().flat_map(|duration_ms| {
        let begins = [0, 1, 50, 100, 500, 950, 999];
        begins.map(|begins_ms| (*duration_ms, begins_ms))
    }) {
        let duration = Duration::from_millis(duration_ms);
        let ends_ms = begins_ms + duration_ms;
        let case = format!("{duration_ms} ms from {begins_ms} ms");

        let mut record = None;
        Record::claim(&mut record, token(1), at(begins_ms), duration);
        let mut claim = |millis| Record::claim(&mut record, token(2), at(millis), duration);
        assert_eq!(claim(ends_ms - 1), Claim::InFlight, "{case}");
        assert_eq!(claim(ends_ms + 2000), Claim::Granted, "{case}");

        let mut record = None;
        Record::commit(&mut record, token(1), at(begins_ms), duration);
        let mut claim = |millis| Record::claim(&mut record, token(2), at(millis), duration);
        assert_eq!(claim(ends_ms - 1), Claim::Acknowledged, "{case}");
        assert_eq!(claim(ends_ms + 2000), Claim::Granted, "{case}");
    }
}

#[test]
fn two_handlers_do_not_run_at_once_with_a_lease_of_900_ms() {
    let (store, secs) = store(10);
    let lease = Duration::from_millis(900);
    assert_eq!(now(store.claim(id(1), token(1), lease)), Ok(Claim::Granted));
    let second = now(store.claim(id(1), token(2), lease));
    assert_eq!(second, Ok(Claim::InFlight));
    // A lease that starts at 0.950 s lasts until 1.850 s.
    secs.fetch_add(1, Ordering::Relaxed);
    let second = now(store.claim(id(1), token(2), lease));
    assert_eq!(second, Ok(Claim::InFlight));
    secs.fetch_add(1, Ordering::Relaxed);
    assert_eq!(now(store.claim(id(1), token(2), lease)), Ok(Claim::Granted));
}

#[test]
fn a_lease_that_overflows_never_expires() {
    let mut record = None;
    let start = UnixTime::from_secs(u64::MAX - 1);
    Record::claim(&mut record, token(1), start, Duration::MAX);
    assert_eq!(record.unwrap().expires_at(), UnixTime::from_secs(u64::MAX));
}

#[test]
fn a_late_attempt_does_not_affect_the_claim_of_another() {
    let (store, secs) = store(10);
    now(store.claim(id(1), token(1), LEASE)).unwrap();
    secs.fetch_add(LEASE_SECS, Ordering::Relaxed);
    now(store.claim(id(1), token(2), LEASE)).unwrap();

    now(store.release(id(1), token(1))).unwrap();
    assert_eq!(
        now(store.claim(id(1), token(3), LEASE)),
        Ok(Claim::InFlight)
    );
    assert_eq!(now(store.commit(id(1), token(1), RETENTION)), Ok(false));
    assert_eq!(
        now(store.claim(id(1), token(3), LEASE)),
        Ok(Claim::InFlight)
    );
    assert_eq!(now(store.commit(id(1), token(2), RETENTION)), Ok(true));
}

#[test]
fn commits_a_claim_whose_lease_has_expired() {
    let (store, secs) = store(10);
    now(store.claim(id(1), token(1), LEASE)).unwrap();
    secs.fetch_add(600, Ordering::Relaxed);
    assert_eq!(now(store.commit(id(1), token(1), RETENTION)), Ok(true));
    assert_eq!(
        now(store.claim(id(1), token(2), LEASE)),
        Ok(Claim::Acknowledged)
    );
}

#[test]
fn an_acknowledgement_expires_with_its_retention_and_not_a_second_earlier() {
    let (store, secs) = store(10);
    now(store.claim(id(1), token(1), LEASE)).unwrap();
    now(store.commit(id(1), token(1), RETENTION)).unwrap();
    secs.fetch_add(RETENTION_SECS - 1, Ordering::Relaxed);
    assert_eq!(
        now(store.claim(id(1), token(2), LEASE)),
        Ok(Claim::Acknowledged)
    );
    secs.fetch_add(1, Ordering::Relaxed);
    assert_eq!(now(store.claim(id(1), token(2), LEASE)), Ok(Claim::Granted));
}

#[test]
fn a_full_store_rejects_claims_and_forgets_nothing() {
    let (store, secs) = store(3);
    for number in 1..=3 {
        now(store.claim(id(number), token(1), LEASE)).unwrap();
        now(store.commit(id(number), token(1), RETENTION)).unwrap();
    }
    let full = Err(MemoryStoreError::Full);
    assert_eq!(now(store.claim(id(4), token(1), LEASE)), full);
    for number in 1..=3 {
        let claim = now(store.claim(id(number), token(1), LEASE));
        assert_eq!(claim, Ok(Claim::Acknowledged), "{number}");
    }
    secs.fetch_add(RETENTION_SECS, Ordering::Relaxed);
    assert_eq!(now(store.claim(id(4), token(1), LEASE)), Ok(Claim::Granted));
}

#[test]
fn makes_room_as_claims_are_released() {
    let (store, _) = store(2);
    for number in 0..1000 {
        assert_eq!(
            now(store.claim(id(number), token(1), LEASE)),
            Ok(Claim::Granted)
        );
        now(store.release(id(number), token(1))).unwrap();
    }
}

#[test]
fn each_claim_removes_an_expired_one() {
    let (store, secs) = store(100);
    for number in 0..10_000 {
        assert_eq!(
            now(store.claim(id(number), token(1), LEASE)),
            Ok(Claim::Granted)
        );
        secs.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_long_retention_does_not_block_shorter_ones() {
    const YEAR: Duration = Duration::from_secs(365 * 86_400);
    let (store, secs) = store(100);
    for number in 0..100 {
        let retention = if number == 0 { YEAR } else { RETENTION };
        now(store.claim(id(number), token(1), LEASE)).unwrap();
        now(store.commit(id(number), token(1), retention)).unwrap();
    }
    secs.fetch_add(RETENTION_SECS, Ordering::Relaxed);
    for number in 100..199 {
        let claim = now(store.claim(id(number), token(1), LEASE));
        assert_eq!(claim, Ok(Claim::Granted), "{number}");
    }
    let full = Err(MemoryStoreError::Full);
    assert_eq!(now(store.claim(id(199), token(1), LEASE)), full);
    assert_eq!(
        now(store.claim(id(0), token(1), LEASE)),
        Ok(Claim::Acknowledged)
    );
}

#[test]
fn a_long_lease_does_not_block_shorter_ones() {
    let (store, secs) = store(2);
    now(store.claim(id(1), token(1), RETENTION)).unwrap();
    for number in 2..10 {
        let claim = now(store.claim(id(number), token(1), LEASE));
        assert_eq!(claim, Ok(Claim::Granted), "{number}");
        secs.fetch_add(LEASE_SECS, Ordering::Relaxed);
    }
}

#[test]
fn a_full_store_accepts_claims_and_commits_once_deliveries_have_expired() {
    for commits in [false, true] {
        let (store, secs) = store(20);
        for number in 0..20 {
            now(store.claim(id(number), token(1), LEASE)).unwrap();
        }
        secs.fetch_add(LEASE_SECS, Ordering::Relaxed);
        for number in 20..40 {
            if commits {
                let commit = now(store.commit(id(number), token(1), RETENTION));
                assert_eq!(commit, Ok(true), "{number}");
            } else {
                let claim = now(store.claim(id(number), token(1), LEASE));
                assert_eq!(claim, Ok(Claim::Granted), "{number}");
            }
        }
        let full = Err(MemoryStoreError::Full);
        assert_eq!(now(store.claim(id(40), token(1), LEASE)), full);
    }
}

#[test]
fn holds_exactly_its_capacity() {
    let (store, _) = store(1000);
    for number in 0..1000 {
        let claim = now(store.claim(id(number), token(1), LEASE));
        assert_eq!(claim, Ok(Claim::Granted), "{number}");
    }
    let full = MemoryStoreError::Full;
    assert_eq!(now(store.claim(id(1000), token(1), LEASE)), Err(full));
    assert_eq!(now(store.commit(id(1000), token(1), RETENTION)), Err(full));

    // Deliveries that are already in the store can still be claimed and committed.
    assert_eq!(now(store.claim(id(0), token(1), LEASE)), Ok(Claim::Granted));
    assert_eq!(now(store.commit(id(0), token(1), RETENTION)), Ok(true));
    let duplicate = now(store.claim(id(0), token(2), LEASE));
    assert_eq!(duplicate, Ok(Claim::Acknowledged));

    now(store.release(id(1), token(1))).unwrap();
    let claim = now(store.claim(id(1000), token(1), LEASE));
    assert_eq!(claim, Ok(Claim::Granted));
    assert_eq!(now(store.claim(id(1001), token(1), LEASE)), Err(full));
}

#[test]
fn a_store_with_capacity_zero_is_always_full() {
    let (store, _) = store(0);
    let full = MemoryStoreError::Full;
    assert_eq!(now(store.claim(id(1), token(1), LEASE)), Err(full));
    assert_eq!(now(store.commit(id(1), token(1), RETENTION)), Err(full));
    assert!(store.release_now(id(1), token(1)));
}

/// Turns the clock back to count the deliveries that are still in the store.
#[test]
fn one_claim_removes_at_most_eight_expired_deliveries() {
    const HELD: u64 = 1000;
    let (store, secs) = store(10_000);
    for number in 0..HELD {
        now(store.claim(id(number), token(1), LEASE)).unwrap();
    }
    let start = secs.swap(1_800_000_000, Ordering::Relaxed);
    let claim = now(store.claim(id(HELD), token(1), LEASE));
    assert_eq!(claim, Ok(Claim::Granted));

    secs.store(start, Ordering::Relaxed);
    let claims = (0..HELD).map(|number| now(store.claim(id(number), token(2), LEASE)));
    let removed = claims.filter(|claim| *claim == Ok(Claim::Granted)).count();
    assert_eq!(removed, 8);
}

#[test]
fn an_expired_delivery_can_be_claimed_and_committed_again() {
    let (store, secs) = store(10);
    for _ in 0..3 {
        assert_eq!(now(store.claim(id(1), token(1), LEASE)), Ok(Claim::Granted));
        assert_eq!(now(store.commit(id(1), token(1), RETENTION)), Ok(true));
        secs.fetch_add(RETENTION_SECS - 1, Ordering::Relaxed);
        let duplicate = now(store.claim(id(1), token(1), LEASE));
        assert_eq!(duplicate, Ok(Claim::Acknowledged));
        secs.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn forgets_nothing_if_the_clock_goes_backwards() {
    let (store, secs) = store(3);
    now(store.claim(id(1), token(1), LEASE)).unwrap();
    now(store.claim(id(2), token(1), LEASE)).unwrap();
    now(store.commit(id(2), token(1), RETENTION)).unwrap();
    for time in [1_735_471_799, 1_735_000_000, 0] {
        secs.store(time, Ordering::Relaxed);
        for (number, claim) in [(1, Claim::InFlight), (2, Claim::Acknowledged)] {
            assert_eq!(now(store.claim(id(number), token(2), LEASE)), Ok(claim));
        }
        // The lease of delivery 1 is renewed. Delivery 3 is claimed and released.
        assert_eq!(now(store.claim(id(1), token(1), LEASE)), Ok(Claim::Granted));
        assert_eq!(now(store.claim(id(3), token(1), LEASE)), Ok(Claim::Granted));
        now(store.release(id(3), token(1))).unwrap();
    }
    secs.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(now(store.claim(id(1), token(2), LEASE)), Ok(Claim::Granted));
}

#[test]
fn rejects_claims_if_the_clock_returns_none() {
    let store = MemoryStore::default().clock(|| None);
    let no_time = Err(MemoryStoreError::NoTime);
    assert_eq!(now(store.claim(id(1), token(1), LEASE)), no_time);
}

#[test]
fn memory_store_errors_have_exact_messages() {
    assert_eq!(
        MemoryStoreError::Full.to_string(),
        "the memory store is full"
    );
    assert_eq!(
        MemoryStoreError::NoTime.to_string(),
        "the clock returned no time"
    );
}

#[test]
fn removes_an_expired_delivery_even_if_it_was_claimed_again() {
    let (store, secs) = store(2);
    for number in [1, 2] {
        now(store.claim(id(number), token(1), LEASE)).unwrap();
        now(store.commit(id(number), token(1), RETENTION)).unwrap();
        secs.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(
        now(store.claim(id(1), token(2), LEASE)),
        Ok(Claim::Acknowledged)
    );
    // Delivery 1 has expired, but delivery 2 has not.
    secs.fetch_add(RETENTION_SECS - 2, Ordering::Relaxed);
    assert_eq!(now(store.claim(id(3), token(1), LEASE)), Ok(Claim::Granted));
    assert_eq!(
        now(store.claim(id(2), token(1), LEASE)),
        Ok(Claim::Acknowledged)
    );
}

#[test]
fn release_now_returns_false_by_default() {
    struct Remote;

    impl DeliveryStore for Remote {
        type Error = MemoryStoreError;

        async fn claim(
            &self,
            _: DeliveryId,
            _: ClaimToken,
            _: Duration,
        ) -> Result<Claim, Self::Error> {
            Ok(Claim::Granted)
        }

        async fn commit(
            &self,
            _: DeliveryId,
            _: ClaimToken,
            _: Duration,
        ) -> Result<bool, Self::Error> {
            Ok(true)
        }

        async fn release(&self, _: DeliveryId, _: ClaimToken) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    assert!(!Remote.release_now(id(1), token(1)));
    let (store, _) = store(10);
    assert!(store.release_now(id(1), token(1)));
}

/// A store may keep expired records.
#[test]
fn an_expired_record_counts_as_none() {
    let expires_at = UnixTime::from_secs(1_735_471_860);
    let before = UnixTime::from_secs(expires_at.as_secs() - 1);
    let in_flight = Record::InFlight {
        token: token(1),
        expires_at,
    };
    let rows = [
        (in_flight, Claim::InFlight),
        (Record::Acknowledged { expires_at }, Claim::Acknowledged),
    ];
    for (kept, response) in rows {
        let claim = |now| Record::claim(&mut Some(kept), token(2), now, LEASE);
        assert_eq!(claim(before), response, "{kept:?}");
        assert_eq!(claim(expires_at), Claim::Granted, "{kept:?}");
    }
    let commit = |now| Record::commit(&mut Some(in_flight), token(2), now, RETENTION);
    assert!(!commit(before));
    assert!(commit(expires_at));
}

#[test]
fn debug_output_contains_no_delivery() {
    let (store, _) = store(10);
    now(store.claim(id(1), token(1), LEASE)).unwrap();
    assert_eq!(format!("{store:?}"), "MemoryStore { .. }");
}

#[test]
fn clones_share_deliveries() {
    let (store, _) = store(10);
    now(store.clone().claim(id(1), token(1), LEASE)).unwrap();
    assert_eq!(
        now(store.claim(id(1), token(2), LEASE)),
        Ok(Claim::InFlight)
    );
}

#[test]
fn grants_each_delivery_to_one_thread() {
    // Miri is slow, and needs only a few deliveries to detect a race.
    const DELIVERIES: u64 = if cfg!(miri) { 10 } else { 1000 };
    let (store, _) = store(1000);
    let granted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for number in 1..=4 {
            let (store, granted) = (&store, &granted);
            scope.spawn(move || {
                for delivery in 0..DELIVERIES {
                    if now(store.claim(id(delivery), token(number), LEASE)) == Ok(Claim::Granted) {
                        granted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(granted.into_inner(), DELIVERIES);
}

#[test]
fn an_id_depends_on_the_boundaries_of_its_parts() {
    assert_ne!(
        DeliveryId::of(&[b"ab", b"c"]),
        DeliveryId::of(&[b"a", b"bc"])
    );
    assert_ne!(DeliveryId::of(&[b"", b"a"]), DeliveryId::of(&[b"a"]));
    assert_eq!(DeliveryId::of(&[b"a", b"b"]), DeliveryId::of(&[b"a", b"b"]));
}

#[test]
fn displays_an_id_as_32_hex_digits() {
    // The first half of the SHA-256 hash of the part, prefixed with its length in eight bytes.
    let id = DeliveryId::of(&[b"a"]);
    assert_eq!(id.to_string(), "3b196fd4907bedf51c3090e9835f2f7c");
    assert_eq!(
        format!("{id:?}"),
        "DeliveryId(3b196fd4907bedf51c3090e9835f2f7c)"
    );
}

/// A simple model of a store.
#[derive(Default)]
struct Model {
    claimed: Vec<(u64, u8, u64)>,
    acknowledged: Vec<(u64, u64)>,
}

impl Model {
    fn claim(&mut self, id: u64, token: u8, now: u64, secs: u64) -> Claim {
        if self
            .acknowledged
            .iter()
            .any(|&(known, expires_at)| known == id && now < expires_at)
        {
            return Claim::Acknowledged;
        }
        let holder = self
            .claimed
            .iter()
            .find(|&&(known, _, expires_at)| known == id && now < expires_at);
        if holder.is_some_and(|&(_, holder, _)| holder != token) {
            return Claim::InFlight;
        }
        self.claimed.retain(|&(known, ..)| known != id);
        self.claimed.push((id, token, now + secs + 1));
        Claim::Granted
    }

    fn commit(&mut self, id: u64, token: u8, now: u64, secs: u64) -> bool {
        let held_by_another = self
            .claimed
            .iter()
            .any(|&(known, holder, expires_at)| known == id && now < expires_at && holder != token);
        if !held_by_another {
            self.claimed.retain(|&(known, ..)| known != id);
            self.acknowledged.retain(|&(known, _)| known != id);
            self.acknowledged.push((id, now + secs + 1));
        }
        !held_by_another
    }

    fn release(&mut self, id: u64, token: u8) {
        self.claimed
            .retain(|&(known, holder, _)| known != id || holder != token);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Claim(u64, u8, u64),
    Commit(u64, u8, u64),
    Release(u64, u8),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = (0..4_u64, 1..4_u8);
    let secs = || prop_oneof![1..90_u64, 80_000..90_000_u64];
    let step = prop_oneof![
        4 => (place.clone(), secs()).prop_map(|((id, by), secs)| Step::Claim(id, by, secs)),
        2 => (place.clone(), secs()).prop_map(|((id, by), secs)| Step::Commit(id, by, secs)),
        2 => place.prop_map(|(id, token)| Step::Release(id, token)),
        2 => secs().prop_map(Step::Wait),
    ];
    vec(step, 1..60)
}

proptest! {
    #[test]
    fn behaves_like_the_model(steps in steps()) {
        let (store, secs) = store(4);
        let mut model = Model::default();
        for step in steps {
            let at = secs.load(Ordering::Relaxed);
            match step {
                Step::Claim(number, by, lease) => prop_assert_eq!(
                    now(store.claim(id(number), token(by), Duration::from_secs(lease))).unwrap(),
                    model.claim(number, by, at, lease)
                ),
                Step::Commit(number, by, retention) => prop_assert_eq!(
                    now(store.commit(id(number), token(by), Duration::from_secs(retention)))
                        .unwrap(),
                    model.commit(number, by, at, retention)
                ),
                Step::Release(number, by) => {
                    now(store.release(id(number), token(by))).unwrap();
                    model.release(number, by);
                }
                Step::Wait(secs_later) => {
                    secs.fetch_add(secs_later, Ordering::Relaxed);
                }
            }
        }
    }
}

#[test]
fn an_id_does_not_depend_on_the_spelling_of_the_event() {
    let signer = Signer::new(&Secret::new("topsecret").unwrap());
    let verifier = Verifier::new(Secret::new("topsecret").unwrap());
    let time = UnixTime::from_secs(1_735_471_800);
    let id = |body: &str| {
        let headers = signer.sign(time, body.as_bytes());
        let delivery = verifier.verify(&headers, body.as_bytes(), time).unwrap();
        DeliveryId::new(&delivery)
    };
    let plain = r#"{"event":"task.completed","process_id":3,"status":"failed"}"#;
    for body in [
        r#"{"event":"task.completed","process_id":"3","status":"failed"}"#,
        r#"{"status":"failed","process_id":"\u0033","event":"task.completed"}"#,
        "\u{feff}{\"event\":\"task.completed\",\"process_id\":3,\"status\":\"failed\"}",
        r#"{"event":"task.completed","process_id":3,"status":"failed","meta":[],"error":7}"#,
        r#"{"event":"task.completed","process_id":3,"status":"failed","error":"","error":""}"#,
    ] {
        assert_eq!(id(body), id(plain), "{body}");
    }
    for body in [
        r#"{"event":"task.completed","process_id":"03","status":"failed"}"#,
        r#"{"event":"task.completed","process_id":"3","process_id":3,"status":"failed"}"#,
        r#"{"event":"task.completed","process_id":"3","status":"completed"}"#,
        r#"{"event":"task.started","process_id":3,"status":"failed"}"#,
    ] {
        assert_ne!(id(body), id(plain), "{body}");
    }
}

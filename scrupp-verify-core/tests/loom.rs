//! Tests of `MemoryStore` with all thread interleavings. Run with `scripts/check-loom`.
#![cfg(loom)]

use core::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use loom::thread;
use scrupp_verify_core::{
    UnixTime,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore},
};

const LEASE: Duration = Duration::from_secs(60);

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a memory store never waits"),
    }
}

fn claim(store: &MemoryStore, token: u8) -> Claim {
    let token = ClaimToken::from_bytes([token; 16]);
    now(store.claim(id(), token, LEASE)).expect("the store is not full")
}

fn id() -> DeliveryId {
    DeliveryId::of(&[b"one"])
}

fn store() -> MemoryStore {
    MemoryStore::new(4).clock(|| Some(UnixTime::from_secs(1_735_471_800)))
}

#[test]
fn grants_one_of_three_concurrent_claims() {
    loom::model(|| {
        let store = store();
        let others = [1, 2].map(|token| {
            let store = store.clone();
            thread::spawn(move || claim(&store, token))
        });
        let mut claims = vec![claim(&store, 3)];
        claims.extend(others.map(|other| other.join().expect("the claim does not panic")));
        let granted = claims.iter().filter(|claim| **claim == Claim::Granted);
        assert_eq!(granted.count(), 1);
    });
}

#[test]
fn a_late_release_does_not_undo_a_commit() {
    loom::model(|| {
        let store = store();
        assert_eq!(claim(&store, 1), Claim::Granted);
        let (releasing, claiming) = (store.clone(), store.clone());
        let release = thread::spawn(move || {
            releasing.release_now(id(), ClaimToken::from_bytes([1; 16]));
        });
        let next = thread::spawn(move || {
            let claim = claim(&claiming, 2);
            if claim == Claim::Granted {
                let token = ClaimToken::from_bytes([2; 16]);
                assert_eq!(now(claiming.commit(id(), token, LEASE)), Ok(true));
            }
            claim
        });
        release.join().expect("the release does not panic");
        match next.join().expect("the claim does not panic") {
            Claim::Granted => assert_eq!(claim(&store, 3), Claim::Acknowledged),
            Claim::InFlight => assert_eq!(claim(&store, 3), Claim::Granted),
            Claim::Acknowledged => panic!("the delivery was not committed"),
        }
    });
}

//! Rate of claims and commits of a `MemoryStore`.

use core::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use std::{sync::Arc, time::Instant};

use scrupp_verify_benches::service::finish;
use scrupp_verify_core::{
    UnixTime,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore},
};

use crate::{figure::Figure, rounds::Rounds};

/// Number of deliveries in one turn.
const TURN: u64 = 1000;

const HELD: u64 = 60_000;

pub(crate) fn figures(count: u32) -> Vec<Figure> {
    let mut rounds = Rounds::default();
    rounds.add_timed("0 held", {
        let mut load = Load::holding(0);
        move || load.turn()
    });
    rounds.add_timed("60,000 held", {
        let mut load = Load::holding(HELD);
        move || load.turn()
    });
    let times = rounds.run(count);
    vec![
        Figure::at_least(
            "memory_store_claim_and_commit_per_second",
            1.0 / times.median("0 held"),
            2e6,
        ),
        Figure::at_least(
            "memory_store_claim_and_commit_per_second_60000_held",
            1.0 / times.median("60,000 held"),
            1e6,
        ),
        Figure::at_most(
            "memory_store_time_with_60000_held_per_0_held",
            times.ratio("60,000 held", "0 held"),
            4.0,
        ),
        Figure::at_most(
            "memory_store_slowest_claim_microseconds_1000000_held",
            slowest_claim().as_secs_f64() * 1e6,
            1000.0,
        ),
    ]
}

/// Returns the time of the slowest of 100,000 claims while a million ids are held.
///
/// The result is the best of three turns, because the scheduler interrupts some claims.
fn slowest_claim() -> Duration {
    const HELD: u64 = 1_000_000;
    const CLAIMS: u64 = 100_000;
    let store = MemoryStore::new(1 << 21);
    let claim = |number: u64| {
        let token = ClaimToken::from_bytes(u128::from(number).to_be_bytes());
        let id = black_box(id(number));
        let start = Instant::now();
        let claim = finish(store.claim(id, token, Duration::from_secs(86_400)));
        let elapsed = start.elapsed();
        assert_eq!(claim, Ok(Claim::Granted));
        elapsed
    };
    for number in 0..HELD {
        claim(number);
    }
    let turns = (0..3).map(|turn| {
        let first = HELD + turn * CLAIMS;
        (first..first + CLAIMS).map(claim).max()
    });
    turns.flatten().min().unwrap_or_default()
}

/// Store with a constant number of ids.
///
/// The clock advances by one second per delivery, so each claim removes one expired id.
struct Load {
    store: MemoryStore,
    now: Arc<AtomicU64>,
    retention: Duration,
}

impl Load {
    fn holding(ids: u64) -> Self {
        let now = Arc::new(AtomicU64::new(1));
        let clock = Arc::clone(&now);
        let store = MemoryStore::default().clock(move || {
            // A simulated clock that takes as long as the system clock.
            black_box(UnixTime::now());
            Some(UnixTime::from_secs(clock.load(Ordering::Relaxed)))
        });
        let retention = Duration::from_secs(ids);
        let load = Self {
            store,
            now,
            retention,
        };
        for number in 1..=ids + TURN {
            load.deliver(id(number));
        }
        load
    }

    /// Returns the time per delivery.
    fn turn(&mut self) -> Duration {
        let first = self.now.load(Ordering::Relaxed);
        let ids: Vec<_> = (first..first + TURN).map(id).collect();
        let start = Instant::now();
        for id in ids {
            self.deliver(id);
        }
        start.elapsed() / TURN as u32
    }

    fn deliver(&self, id: DeliveryId) {
        let time = self.now.fetch_add(1, Ordering::Relaxed);
        let token = ClaimToken::from_bytes(u128::from(time).to_be_bytes());
        let claim = finish(
            self.store
                .claim(black_box(id), token, Duration::from_secs(60)),
        );
        assert_eq!(claim, Ok(Claim::Granted));
        assert_eq!(
            finish(self.store.commit(id, token, self.retention)),
            Ok(true)
        );
    }
}

fn id(number: u64) -> DeliveryId {
    DeliveryId::of(&[&number.to_be_bytes()])
}

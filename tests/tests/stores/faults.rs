//! Servers that are killed or become silent.

use core::time::Duration;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    RETENTION,
    histories::{Event, LATE, LIMIT, check, observe},
    model::Op,
    suite::Shape,
};

/// A kind of store with its own server.
pub(crate) trait Server: Shape {
    fn kill(&mut self);

    async fn restart(&mut self);

    fn pause(&self, is_paused: bool);
}

const DELIVERIES: u64 = 60;
const LEASE: Duration = Duration::from_millis(1500);

/// Asserts that every operation fails in time while the server is killed or paused. Afterwards, the
/// same store works again. No acknowledgement is lost, and no claim outlives its lease.
pub(crate) async fn survives_a_server_that_is_killed_or_paused<S: Server>() {
    let mut shape = S::start().await;
    let store = shape.store().await;
    let events = Arc::new(Mutex::new(Vec::new()));
    let is_finished = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (store, events) = (store.clone(), Arc::clone(&events));
        let is_finished = Arc::clone(&is_finished);
        tasks.spawn(async move {
            while !is_finished.load(Ordering::Relaxed) {
                let number = fastrand::u64(..DELIVERIES);
                let op = match Op::random(&[LEASE, RETENTION]) {
                    Op::Claim(by, _) | Op::CommitIn(by, _) => Op::Claim(by, LEASE),
                    op => op,
                };
                let event = observe(&store, number, op).await;
                let pause = if event.result.is_some() { 80 } else { 800 };
                events.lock().unwrap().push((number, event));
                sleep(Duration::from_millis(fastrand::u64(..pause))).await;
            }
        });
    }
    let works_again = async || {
        let begin = Instant::now();
        let is_success = |(_, event): &(u64, Event)| event.begin > begin && event.result.is_some();
        while !events.lock().unwrap().iter().any(is_success) {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "the store does not recover"
            );
            sleep(Duration::from_millis(20)).await;
        }
        sleep(Duration::from_millis(700)).await;
    };
    works_again().await;
    for is_killed in [true, false] {
        match is_killed {
            true => shape.kill(),
            false => shape.pause(true),
        }
        let begin = Instant::now();
        sleep(3 * LIMIT).await;
        let during = events.lock().unwrap().clone();
        let during = during.iter().filter(|(_, event)| event.begin > begin);
        assert!(during.clone().count() >= 8, "{during:?}");
        assert!(
            during.clone().all(|(_, event)| event.result.is_none()),
            "{during:?}"
        );
        match is_killed {
            true => shape.restart().await,
            false => shape.pause(false),
        }
        // A resumed server executes the commands that it had received.
        for (_, event) in events.lock().unwrap().iter_mut() {
            if event.result.is_none() && event.begin + LIMIT > begin {
                event.end = event.end.max(Instant::now() + LATE);
            }
        }
        works_again().await;
    }
    is_finished.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    sleep(LATE + LEASE).await;
    let events = core::mem::take(&mut *events.lock().unwrap());
    for number in 0..DELIVERIES {
        let last = observe(&store, number, Op::Claim(9, LEASE)).await;
        assert_ne!(last.result.as_deref(), Some("InFlight"), "{number}");
        let of_number = events.iter().filter(|(of, _)| *of == number);
        let mut history: Vec<_> = of_number.map(|(_, event)| event.clone()).collect();
        history.push(last);
        check(history);
    }
}

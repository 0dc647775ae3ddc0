//! Servers that are killed, or fall silent.

use core::time::Duration;
use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    RETENTION,
    histories::{Event, LIMIT, check, observe},
    model::Op,
    suite::Shape,
};

/// A kind of store on a server of its own.
pub(crate) trait Server: Shape {
    fn kill(&mut self);

    async fn restart(&mut self);

    fn pause(&self, is_paused: bool);
}

const DELIVERIES: u64 = 60;
const LEASE: Duration = Duration::from_millis(1500);

/// How long after a fault a claim that failed may still be executed.
const LATE: Duration = Duration::from_secs(1);

/// While the server is killed or paused, every operation fails in time. Afterwards the same store
/// works, has forgotten no acknowledgement, and holds no claim longer than its lease.
pub(crate) async fn survives_a_server_that_is_killed_or_paused<S: Server>() {
    let mut shape = S::start().await;
    let store = shape.store().await;
    let events = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (store, events) = (store.clone(), Arc::clone(&events));
        tasks.spawn(async move {
            loop {
                let number = fastrand::u64(..DELIVERIES);
                let op = match Op::random(&[LEASE, RETENTION]) {
                    Op::Claim(by, _) | Op::CommitIn(by, _) => Op::Claim(by, LEASE),
                    op => op,
                };
                let event = observe(&store, number, op).await;
                events.lock().unwrap().push((number, event));
                sleep(Duration::from_millis(fastrand::u64(..80))).await;
            }
        });
    }
    let works_since = async |since: Instant| {
        let is_success = |(_, event): &(u64, Event)| event.begin > since && event.result.is_some();
        while !events.lock().unwrap().iter().any(is_success) {
            assert!(since.elapsed() < Duration::from_secs(30), "does not work");
            sleep(Duration::from_millis(20)).await;
        }
        println!("works again after {:?}", since.elapsed());
        sleep(Duration::from_millis(700)).await;
    };
    works_since(Instant::now()).await;
    let mut faults = Vec::new();
    for is_killed in [true, false] {
        match is_killed {
            true => shape.kill(),
            false => shape.pause(true),
        }
        let begin = Instant::now();
        sleep(3 * LIMIT).await;
        let end = Instant::now();
        match is_killed {
            true => shape.restart().await,
            false => shape.pause(false),
        }
        faults.push((begin, end, Instant::now()));
        works_since(Instant::now()).await;
    }
    tasks.shutdown().await;

    let mut events = core::mem::take(&mut *events.lock().unwrap());
    for (_, event) in &mut events {
        let lasted = event.end - event.begin;
        assert!(lasted < LIMIT + LIMIT, "{event:?} took {lasted:?}");
    }
    for (begin, end, over) in faults {
        let during = events
            .iter_mut()
            .filter(|(_, event)| event.begin > begin && event.end < end);
        let results: Vec<_> = during.map(|(_, event)| event.result.clone()).collect();
        assert!(results.len() >= 8, "{results:?}");
        assert!(results.iter().all(Option::is_none), "{results:?}");
        for (_, event) in &mut events {
            if event.result.is_none() && event.end >= begin && event.begin <= over {
                event.end = match event.op {
                    Op::Claim(..) => over + LATE,
                    // Stores may try these again.
                    _ => over + RETENTION,
                };
            }
        }
    }
    sleep(LATE + LEASE).await;
    for number in 0..DELIVERIES {
        let last = observe(&store, number, Op::Claim(9, LEASE)).await;
        assert_ne!(last.result.as_deref(), Some("InFlight"), "{number}");
        let of_number = events.iter().filter(|(of, _)| *of == number);
        let mut history: Vec<_> = of_number.map(|(_, event)| event.clone()).collect();
        history.push(last);
        check(history);
    }
}

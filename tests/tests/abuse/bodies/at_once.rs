//! Many concurrent deliveries of the largest size: 150 MiB for a budget of 64 MiB.

use core::{net::SocketAddr, time::Duration};
use std::{env, sync::Arc, time::Instant};

use scrupp_verify_tests::{Connection, FrontEnd, Step, signed};
use tokio::task::JoinSet;

use super::{BODY_LIMIT, alone};
use crate::abuse;

const DELIVERIES: u64 = 600;

/// In memory, because a disk cannot commit so many claims at once within the store timeout.
const IN_MEMORY: &str = "memory:";

/// Rounds of the comparison, unless `SCRUPP_ABUSE_ROUNDS` is set.
const ROUNDS: u64 = 2;

/// Allowance for other load on the machine during a round, which takes one or two seconds.
const NOISE: Duration = Duration::from_millis(250);

abuse! { large_deliveries_do_not_block_each_other:
    axum_large_deliveries_do_not_block_each_other "example-axum",
    actix_large_deliveries_do_not_block_each_other "example-actix",
    warp_large_deliveries_do_not_block_each_other "example-warp",
    hyper_large_deliveries_do_not_block_each_other "example-hyper",
    custom_large_deliveries_do_not_block_each_other "example-custom",
}

/// Asserts that every delivery gets 200, and that two and four worker threads take at most 1.5
/// times as long as one thread.
///
/// Fails if a delivery holds a part of the budget while it waits for more. Several threads then
/// fill the budget with incomplete deliveries.
///
/// The time of a round is that of its slowest delivery. The comparison uses the median over the
/// rounds. actix-web has its own workers and ignores the setting, so only its statuses are
/// asserted.
async fn large_deliveries_do_not_block_each_other(front_end: FrontEnd) {
    let _alone = alone().await;
    let threads = ["1", "2", "4"];
    let threads = if front_end.is_actix() {
        &threads[..1]
    } else {
        &threads[..]
    };
    let mut servers = Vec::new();
    for threads in threads {
        let settings = [
            ("TOKIO_WORKER_THREADS", (*threads).to_owned()),
            ("STORE_URL", IN_MEMORY.to_owned()),
        ];
        servers.push((front_end.start_with(&settings).await, Vec::new()));
    }
    let rounds = env::var("SCRUPP_ABUSE_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    // The servers take turns, so other load on the machine slows down all of them.
    for round in 0..rounds {
        // Each body arrives in several reads.
        let split = |request: &[u8]| request.chunks(32 * 1024).map(send).collect();
        let requests = genuine(round * DELIVERIES, split).await;
        for (server, loads) in &mut servers {
            loads.push(deliver_at_once(server.address(), &requests).await);
        }
    }

    let (mut medians, mut all_failed) = (Vec::new(), 0);
    for (threads, (_, loads)) in threads.iter().zip(servers) {
        let failed: Vec<_> = loads.iter().map(|load| load.failed).collect();
        let mut slowest: Vec<_> = loads.iter().map(|load| load.slowest).collect();
        slowest.sort();
        let (median, maximum) = (slowest[slowest.len() / 2], slowest[slowest.len() - 1]);
        println!(
            "{front_end:?}, TOKIO_WORKER_THREADS={threads}, {rounds} rounds: {failed:?} of \
             {DELIVERIES} without 200, slowest {median:?} (median), {maximum:?} (maximum)"
        );
        medians.push(median);
        all_failed += failed.iter().sum::<usize>();
    }
    assert_eq!(all_failed, 0, "deliveries without 200");
    let limit = medians[0].mul_f64(1.5) + NOISE;
    assert!(
        medians.iter().all(|median| *median <= limit),
        "{medians:?} exceed {limit:?}"
    );
}

abuse! { slow_deliveries_do_not_block_each_other:
    axum_slow_deliveries_do_not_block_each_other "example-axum",
    actix_slow_deliveries_do_not_block_each_other "example-actix",
    warp_slow_deliveries_do_not_block_each_other "example-warp",
    hyper_slow_deliveries_do_not_block_each_other "example-hyper",
    custom_slow_deliveries_do_not_block_each_other "example-custom",
}

/// Asserts that every delivery gets 200 if each takes a second to arrive.
///
/// Fails for the same reason as the test above, but more often: all deliveries grow at the same
/// time until they fill the budget.
async fn slow_deliveries_do_not_block_each_other(front_end: FrontEnd) {
    let _alone = alone().await;
    let settings = [("STORE_URL", IN_MEMORY.to_owned())];
    let server = front_end.start_with(&settings).await;
    let slowly = |request: &[u8]| {
        let chunks = request.chunks(8 * 1024);
        let steps = chunks.flat_map(|chunk| [send(chunk), Step::Wait(Duration::from_millis(30))]);
        steps.collect()
    };
    let requests = genuine(0, slowly).await;
    let Load { failed, slowest } = deliver_at_once(server.address(), &requests).await;
    println!("{front_end:?}: {failed} of {DELIVERIES} without 200, slowest {slowest:?}");
    assert_eq!(failed, 0, "deliveries without 200");
}

fn send(bytes: &[u8]) -> Step {
    Step::Send(bytes.to_vec())
}

/// Returns genuine deliveries of exactly the body limit, with the task ids that follow `task`.
async fn genuine(task: u64, split: fn(&[u8]) -> Vec<Step>) -> Vec<Arc<[Step]>> {
    let mut signing = JoinSet::new();
    for number in 1..=DELIVERIES {
        signing.spawn(async move {
            let mut delivery = signed(task + number);
            // A debug build parses a long string much faster than whitespace.
            delivery.body.pop();
            delivery.body.extend_from_slice(br#","padding":""#);
            delivery.body.resize(BODY_LIMIT - 2, b'x');
            delivery.body.extend_from_slice(br#""}"#);
            delivery.sign();
            split(&delivery.request()).into()
        });
    }
    signing.join_all().await
}

/// The result of a load of deliveries.
struct Load {
    failed: usize,
    slowest: Duration,
}

/// Sends all deliveries at once, each on its own connection.
async fn deliver_at_once(address: SocketAddr, requests: &[Arc<[Step]>]) -> Load {
    // Opens connections one after another, because the listener queues at most 128 connections, and
    // the operating system drops some of the others.
    let mut connections = Vec::new();
    for _ in requests {
        connections.push(Connection::open(address).await.unwrap());
    }
    let mut deliveries = JoinSet::new();
    let began = Instant::now();
    for (mut connection, request) in connections.into_iter().zip(requests) {
        let request = Arc::clone(request);
        deliveries.spawn(async move {
            let sent = connection.send(&request).await;
            let response = sent.and(connection.response().await);
            (response.map(|response| response.status), began.elapsed())
        });
    }
    let mut load = Load {
        failed: 0,
        slowest: Duration::ZERO,
    };
    for (status, elapsed) in deliveries.join_all().await {
        load.failed += usize::from(!matches!(status, Ok(200)));
        load.slowest = load.slowest.max(elapsed);
    }
    load
}

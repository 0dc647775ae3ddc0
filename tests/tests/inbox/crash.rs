use core::{net::SocketAddr, time::Duration};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Instant,
};

use scrupp_verify_tests::{
    Attempt, Program, Retries, ScriptedResponse, Scrupp, TaskApi, is_acknowledged,
};
use tokio::{task::JoinSet, time::sleep};

use crate::{Directory, SHORT_TIMEOUT, completed, deliver, result, row, rows, start};

#[tokio::test]
async fn completes_running_jobs_before_it_stops() {
    let (directory, api) = (Directory::new("drains"), TaskApi::start().await);
    let mut inbox = start(&directory.database_url(), &api, &[]).await;
    api.script_fetches(1, [ScriptedResponse::Slow(Duration::from_millis(800))]);
    deliver(inbox.address(), &completed(1)).await;
    while api.fetches(1).is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(inbox.terminate().await, Some(0));

    let inbox = start(&directory.database_url(), &api, &[]).await;
    assert_eq!(result(&inbox, 1).await, (200, TaskApi::result(1, 1)));
}

#[tokio::test]
async fn resumes_unfinished_jobs_after_a_crash() {
    let (directory, api) = (Directory::new("resumes"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &SHORT_TIMEOUT).await;
    deliver(inbox.address(), &completed(1)).await;
    row(&inbox, 1, "stored").await;
    api.script_fetches(2, [ScriptedResponse::Slow(Duration::from_millis(1900))]);
    deliver(inbox.address(), &completed(2)).await;
    while api.fetches(2).is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    inbox.kill().await;

    let inbox = start(&directory.database_url(), &api, &SHORT_TIMEOUT).await;
    assert_eq!(row(&inbox, 2, "stored").await["attempts"], 2);
    assert_eq!(result(&inbox, 1).await, (200, TaskApi::result(1, 1)));
    assert_eq!(result(&inbox, 2).await, (200, TaskApi::result(2, 2)));
    assert_eq!(api.fetches(1).len(), 1);
}

const KILLS: u64 = 20;

const DELIVERIES_BETWEEN_KILLS: u64 = 45;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_no_acknowledged_delivery_in_twenty_kills_under_load() {
    let (directory, api) = (Directory::new("killed"), TaskApi::start().await);
    api.fail_sometimes();
    let mut inbox = start(&directory.database_url(), &api, &SHORT_TIMEOUT).await;
    let load = Arc::new(Load::new(inbox.address()));
    let mut senders: JoinSet<Vec<Vec<Attempt>>> =
        (0..6).map(|_| Arc::clone(&load).send()).collect();
    let bind = inbox.address().to_string();
    let settings = [&SHORT_TIMEOUT[..], &[("BIND", &bind)]].concat();

    let mut results = HashMap::new();
    for kill in 0..KILLS {
        let sent = load.allowed.fetch_add(DELIVERIES_BETWEEN_KILLS, SeqCst);
        stored(&inbox, &mut results).await;
        // Each kill is at a different moment of the load.
        load.wait_for_acknowledged(sent + 3 + (7 * kill) % 30).await;
        sleep(Duration::from_micros(700 * (kill % 5))).await;
        inbox.kill().await;
        inbox = start(&directory.database_url(), &api, &settings).await;
    }
    load.is_finished.store(true, SeqCst);
    let mut deliveries = Vec::new();
    while let Some(attempts) = senders.join_next().await {
        deliveries.extend(attempts.expect("a sender"));
    }
    assert_eq!(deliveries.len() as u64, KILLS * DELIVERIES_BETWEEN_KILLS);
    assert!(deliveries.iter().all(|attempts| is_acknowledged(attempts)));
    let hit = deliveries
        .iter()
        .filter(|attempts| attempts.len() > 1)
        .count();
    assert!(
        hit as u64 > KILLS,
        "only {hit} deliveries were interrupted by a kill"
    );

    let process_ids = 1..=KILLS * DELIVERIES_BETWEEN_KILLS;
    let before = results.clone();
    assert!(
        before.len() > 100,
        "only {} results were stored before the last kill",
        before.len()
    );
    let begin = Instant::now();
    while stored(&inbox, &mut results).await < process_ids.clone().count() {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "{}",
            inbox.said()
        );
        sleep(Duration::from_millis(50)).await;
    }
    let rows = rows(&inbox).await;
    let mut rows: Vec<_> = rows.iter().map(|row| row["process_id"].as_u64()).collect();
    rows.sort_unstable();
    assert!(
        rows.into_iter().eq(process_ids.clone().map(Some)),
        "not exactly one row for each delivery"
    );

    let mut fetched_again = 0;
    for process_id in process_ids {
        let (status, now) = result(&inbox, process_id).await;
        let fetches = api.fetches(process_id).len();
        let mut responses = (1..=fetches).map(|fetch| TaskApi::result(process_id, fetch));
        assert!(
            status == 200 && responses.any(|response| response == now),
            "{now}"
        );
        // A stored result never changes.
        assert!(before.get(&process_id).is_none_or(|before| *before == now));
        fetched_again += u64::from(fetches > 1);
    }
    assert!(
        fetched_again > KILLS,
        "only {fetched_again} results were fetched again"
    );
    println!("{hit} deliveries interrupted by a kill, {fetched_again} results fetched again");
}

/// Adds newly stored results, and returns the number of results.
async fn stored(inbox: &Program, results: &mut HashMap<u64, String>) -> usize {
    for row in rows(inbox).await {
        let process_id = row["process_id"].as_u64().unwrap();
        if row["state"] == "stored" && !results.contains_key(&process_id) {
            results.insert(process_id, result(inbox, process_id).await.1);
        }
    }
    results.len()
}

/// The state that the senders share.
struct Load {
    receiver: SocketAddr,
    allowed: AtomicU64,
    begun: AtomicU64,
    acknowledged: AtomicU64,
    is_finished: AtomicBool,
}

impl Load {
    fn new(receiver: SocketAddr) -> Self {
        Self {
            receiver,
            allowed: AtomicU64::default(),
            begun: AtomicU64::default(),
            acknowledged: AtomicU64::default(),
            is_finished: AtomicBool::default(),
        }
    }

    /// Delivers one task after another, and returns the attempts of each.
    async fn send(self: Arc<Self>) -> Vec<Vec<Attempt>> {
        let mut deliveries = Vec::new();
        loop {
            let next = self.begun.fetch_update(SeqCst, SeqCst, |begun| {
                (begun < self.allowed.load(SeqCst)).then_some(begun + 1)
            });
            if let Ok(begun) = next {
                let scrupp = Scrupp::new(Retries::NewHeaders);
                let event = completed(begun + 1);
                deliveries.push(scrupp.deliver(&[self.receiver], &event).await);
                self.acknowledged.fetch_add(1, SeqCst);
            } else if self.is_finished.load(SeqCst) {
                return deliveries;
            } else {
                sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// Waits until this many deliveries are acknowledged.
    async fn wait_for_acknowledged(&self, acknowledged: u64) {
        while self.acknowledged.load(SeqCst) < acknowledged {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

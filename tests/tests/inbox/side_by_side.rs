use core::time::Duration;

use scrupp_verify_tests::{Postgres, Retries, ScriptedResponse, Scrupp, TaskApi, is_acknowledged};
use tokio::{task::JoinSet, time::sleep};

use crate::{SHORT_TIMEOUT, completed, deliver, result, row, rows, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_with_one_postgresql_run_each_job_once() {
    let postgres = Postgres::start().await;
    let api = TaskApi::start().await;
    let url = postgres.url();
    let (one, other) = tokio::join!(start(&url, &api, &[]), start(&url, &api, &[]));

    const DELIVERIES: u64 = 300;
    let receivers = [one.address(), other.address()];
    let mut senders = JoinSet::new();
    for sender in 0..6 {
        senders.spawn(async move {
            let scrupp = Scrupp::new(Retries::NewHeaders);
            for process_id in (1..=DELIVERIES).filter(|id| id % 6 == sender) {
                // Both receivers get each delivery, so the second one is a duplicate.
                for receiver in receivers {
                    let attempts = scrupp.deliver(&[receiver], &completed(process_id)).await;
                    assert!(is_acknowledged(&attempts), "{attempts:?}");
                }
            }
        });
    }
    senders.join_all().await;
    row(&one, DELIVERIES, "stored").await;
    for process_id in 1..=DELIVERIES {
        row(&other, process_id, "stored").await;
        let expected = (200, TaskApi::result(process_id, 1));
        assert_eq!(result(&one, process_id).await, expected);
        assert_eq!(api.fetches(process_id).len(), 1, "task {process_id}");
    }
    let rows = rows(&one).await;
    assert_eq!(rows.len() as u64, DELIVERIES);
    let said = [one.said(), other.said()];
    let worked = said
        .each_ref()
        .map(|said| said.matches("result fetched").count());
    assert!(
        worked.iter().all(|jobs| *jobs > 0),
        "a process ran no jobs: {worked:?}"
    );
    println!("jobs run by each process: {worked:?}");
}

#[tokio::test]
async fn another_process_runs_the_job_of_a_killed_one_after_its_lease() {
    let postgres = Postgres::start().await;
    let api = TaskApi::start().await;
    let one = start(&postgres.url(), &api, &SHORT_TIMEOUT).await;
    api.script_fetches(1, [ScriptedResponse::Slow(Duration::from_millis(1900))]);
    deliver(one.address(), &completed(1)).await;
    while api.fetches(1).is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let other = start(&postgres.url(), &api, &SHORT_TIMEOUT).await;
    one.kill().await;
    assert_eq!(row(&other, 1, "stored").await["attempts"], 2);
    assert_eq!(result(&other, 1).await, (200, TaskApi::result(1, 2)));
}

#[tokio::test]
async fn process_that_exceeds_its_lease_changes_nothing() {
    let postgres = Postgres::start().await;
    let api = TaskApi::start().await;
    let one = start(&postgres.url(), &api, &SHORT_TIMEOUT).await;
    api.script_fetches(1, [ScriptedResponse::Slow(Duration::from_millis(300))]);
    deliver(one.address(), &completed(1)).await;
    while api.fetches(1).is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    one.pause().await;
    let other = start(&postgres.url(), &api, &SHORT_TIMEOUT).await;
    let stored = row(&other, 1, "stored").await;
    one.resume().await;

    sleep(Duration::from_millis(1500)).await;
    assert!(
        one.said().contains("process_id=1"),
        "the process did not continue"
    );
    assert_eq!(row(&one, 1, "stored").await, stored);
    assert_eq!(result(&one, 1).await, (200, TaskApi::result(1, 2)));
    assert_eq!(api.fetches(1).len(), 2);
}

#[tokio::test]
async fn acknowledges_nothing_without_its_database() {
    let postgres = Postgres::start().await;
    let api = TaskApi::start().await;
    let inbox = start(&postgres.url(), &api, &[]).await;
    deliver(inbox.address(), &completed(1)).await;
    row(&inbox, 1, "stored").await;
    drop(postgres);

    let sender = Scrupp::new(Retries::NewHeaders).timeout(Duration::from_secs(6));
    let once = sender.max_attempts(1);
    for process_id in [1, 2] {
        let event = completed(process_id);
        let attempts = once.deliver(&[inbox.address()], &event).await;
        assert_eq!(attempts, [Some(503)], "task {process_id}");
    }
    assert_eq!(inbox.get("/deliveries").await.status, 503);
}

use core::time::Duration;

use scrupp_verify_tests::{Postgres, ScriptedResponse, TaskApi};
use tokio::time::sleep;

use crate::{Directory, completed, deliver, result, row, rows, start};

#[tokio::test]
async fn job_interrupted_by_kills_is_given_up_at_the_limit() {
    let (directory, api) = (Directory::new("takes"), TaskApi::start().await);
    let settings = [("FETCH_ATTEMPTS", "2"), ("FETCH_TIMEOUT_SECONDS", "0.5")];
    api.script_fetches(
        1,
        [(); 2].map(|()| ScriptedResponse::Slow(Duration::from_secs(60))),
    );
    for fetches in 1..=2 {
        let inbox = start(&directory.database_url(), &api, &settings).await;
        if fetches == 1 {
            deliver(inbox.address(), &completed(1)).await;
        }
        while api.fetches(1).len() < fetches {
            sleep(Duration::from_millis(5)).await;
        }
        inbox.kill().await;
    }
    let inbox = start(&directory.database_url(), &api, &settings).await;
    let given_up = row(&inbox, 1, "failed").await;
    assert_eq!(given_up["error"], "not completed after 2 attempts");
    assert_eq!(given_up["attempts"], 2);
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(api.fetches(1).len(), 2);
}

/// Starts an inbox, and applies each change to one of two rows.
async fn changed(database_url: &str, sql: impl Fn(&str), changes: &[&str], states: &[&str]) {
    let api = TaskApi::start().await;
    let settings = [("FETCH_PAUSE_SECONDS", "3600"), ("FETCH_ATTEMPTS", "3")];
    for process_id in 1..=4 {
        api.script_fetches(process_id, [ScriptedResponse::Status(500)]);
    }
    let inbox = start(database_url, &api, &settings).await;
    for (change, state) in changes.iter().zip(states) {
        deliver(inbox.address(), &completed(1)).await;
        deliver(inbox.address(), &completed(2)).await;
        while rows(&inbox).await.iter().any(|row| row["attempts"] == 0) {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_millis(100)).await;
        sql(&format!(
            "UPDATE deliveries SET {change} WHERE process_id = '1'"
        ));
        sql("UPDATE deliveries SET due_at = 0");
        // The other row is still listed and fetched.
        row(&inbox, 2, "stored").await;
        let changed = row(&inbox, 1, state).await;
        assert!(
            changed["attempts"].as_i64().unwrap() <= 3,
            "{change}: {changed}"
        );
        assert!(changed["error"].is_string(), "{change}: {changed}");
        assert_eq!(result(&inbox, 1).await.0, 404, "{change}");
        sql("DELETE FROM deliveries");
        for process_id in [1, 2] {
            api.script_fetches(process_id, [ScriptedResponse::Status(500)]);
        }
    }
}

#[tokio::test]
async fn unreadable_row_in_sqlite_affects_no_other_row() {
    let directory = Directory::new("changed");
    let changes = [
        ("body = 'garbage'", "unreadable"),
        ("body = 42", "unreadable"),
        ("body = x'ff00'", "unreadable"),
        (
            r#"body = '{"event":"task.completed","process_id":1,"status":"failed"}'"#,
            "failed",
        ),
        ("attempts = 'many'", "failed"),
        ("error = CAST(x'ff00' AS TEXT), body = x''", "unreadable"),
        ("delivery_id = CAST(x'ff' AS TEXT), attempts = 3", "failed"),
    ];
    let sql = |sql: &str| drop(directory.sql(sql));
    let (changes, states): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
    changed(&directory.database_url(), sql, &changes, &states).await;
}

#[tokio::test]
async fn unreadable_row_in_postgresql_affects_no_other_row() {
    let postgres = Postgres::start().await;
    let changes = [
        ("body = 'garbage'", "unreadable"),
        (
            r#"body = '{"event":"task.completed","process_id":1,"status":"failed"}'"#,
            "failed",
        ),
        ("attempts = 3", "failed"),
    ];
    let sql = |sql: &str| drop(postgres.sql(sql));
    let (changes, states): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
    changed(&postgres.url(), sql, &changes, &states).await;
}

#[tokio::test]
async fn permanent_error_status_or_redirect_ends_the_job_at_once() {
    let (directory, api) = (Directory::new("final"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    for (process_id, status) in (1..).zip([301, 308, 400, 401, 403, 404, 410, 501, 505]) {
        api.script_fetches(process_id, [ScriptedResponse::Status(status)]);
        deliver(inbox.address(), &completed(process_id)).await;
        let failed = row(&inbox, process_id, "failed").await;
        let error = format!("the API responded with status {status}");
        assert_eq!(failed["error"], error);
        assert_eq!(failed["attempts"], 1);
        let mut attempts = 0..500;
        while !inbox.said().contains(&error) {
            assert!(attempts.next().is_some(), "{}", inbox.said());
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn temporary_error_status_or_other_2xx_is_retried() {
    let (directory, api) = (Directory::new("temporary"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    for (process_id, status) in (1..).zip([202, 408, 425, 429, 500]) {
        api.script_fetches(process_id, [ScriptedResponse::Status(status)]);
        deliver(inbox.address(), &completed(process_id)).await;
        assert_eq!(row(&inbox, process_id, "stored").await["attempts"], 2);
        let expected = (200, TaskApi::result(process_id, 2));
        assert_eq!(result(&inbox, process_id).await, expected);
    }
}

#[tokio::test]
async fn waits_as_long_as_retry_after_requires() {
    let (directory, api) = (Directory::new("retry-after"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    api.script_fetches(1, [ScriptedResponse::RetryAfter(3600)]);
    api.script_fetches(2, [ScriptedResponse::Status(503)]);
    for process_id in [1, 2] {
        deliver(inbox.address(), &completed(process_id)).await;
    }
    row(&inbox, 2, "stored").await;
    sleep(Duration::from_millis(1500)).await;
    row(&inbox, 1, "waiting").await;
    assert_eq!(api.fetches(1).len(), 1);
}

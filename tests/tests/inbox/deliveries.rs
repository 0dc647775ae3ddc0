use core::{iter::repeat_n, time::Duration};
use std::time::Instant;

use scrupp_verify_tests::{
    Connection, Fetch, KeyIn, SECRET, ScriptedResponse, Step, TaskApi, signed,
};
use tokio::time::sleep;

use crate::{Directory, SHORT_TIMEOUT, completed, completed_with_url, deliver, result, row, start};

fn fetch(path: &str, key: KeyIn) -> Fetch {
    Fetch::new(path, Some(key))
}

#[tokio::test]
async fn responds_before_fetching_the_result() {
    let (directory, api) = (Directory::new("answers"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    api.script_fetches(6666, [ScriptedResponse::Slow(Duration::from_secs(3))]);
    deliver(inbox.address(), &completed(6666)).await;
    let (status, waiting) = result(&inbox, 6666).await;
    assert_eq!(status, 202);
    assert!(waiting.contains(r#""state":"waiting""#), "{waiting}");

    row(&inbox, 6666, "stored").await;
    let expected = (200, TaskApi::result(6666, 1));
    assert_eq!(result(&inbox, 6666).await, expected);
    assert_eq!(result(&inbox, 7777).await, (404, String::new()));
}

#[tokio::test]
async fn duplicate_delivery_is_fetched_once() {
    let (directory, api) = (Directory::new("twice"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    let now = signed(1).now;
    for (process_id, second) in [(1, now), (2, now - 7)] {
        let mut delivery = signed(process_id);
        for secs in [now, second] {
            delivery.sign_with(SECRET, secs);
            let mut connection = Connection::open(inbox.address()).await.unwrap();
            let request = Step::Send(delivery.request());
            connection.send(&[request]).await.unwrap();
            assert_eq!(connection.response().await.unwrap().status, 200);
        }
        row(&inbox, process_id, "stored").await;
        assert_eq!(api.fetches(process_id).len(), 1);
    }
}

#[tokio::test]
async fn fetches_from_the_documented_urls_with_the_key_in_the_header() {
    let (directory, api) = (Directory::new("urls"), TaskApi::start().await);
    let elsewhere = TaskApi::start().await;
    let inbox = start(&directory.database_url(), &api, &[]).await;
    let of = |api: &TaskApi, path: &str| format!("{}{path}", api.origin());
    let events = [
        (completed(1), "/task/1/data"),
        (
            completed_with_url(2, &of(&api, "/task/2/data")),
            "/task/2/data",
        ),
        (
            completed_with_url(3, &of(&api, "/api/v1/task/3/data")),
            "/api/v1/task/3/data",
        ),
        // A result URL with another origin or another task is ignored.
        (
            completed_with_url(4, &of(&elsewhere, "/task/4/data")),
            "/task/4/data",
        ),
        (
            completed_with_url(5, &of(&api, "/task/4/data")),
            "/task/5/data",
        ),
    ];
    for (process_id, (event, path)) in (1..).zip(&events) {
        deliver(inbox.address(), event).await;
        row(&inbox, process_id, "stored").await;
        assert_eq!(api.fetches(process_id), [fetch(path, KeyIn::Header)]);
        assert_eq!(elsewhere.fetches(process_id), []);
    }
}

#[tokio::test]
async fn key_is_in_the_query_only_if_configured_and_never_logged() {
    let (directory, api) = (Directory::new("query"), TaskApi::start().await);
    let in_query = [("SCRUPP_API_KEY_IN", "query"), ("FETCH_ATTEMPTS", "2")];
    let settings = [&in_query[..], &SHORT_TIMEOUT].concat();
    let inbox = start(&directory.database_url(), &api, &settings).await;
    deliver(inbox.address(), &completed(1)).await;
    row(&inbox, 1, "stored").await;
    assert_eq!(api.fetches(1), [fetch("/task/1/data", KeyIn::Query)]);

    let scripted = [
        ScriptedResponse::Status(500),
        ScriptedResponse::Slow(Duration::from_secs(3)),
        ScriptedResponse::Redirect(api.origin()),
        ScriptedResponse::Body(b"no JSON".to_vec()),
    ];
    for (process_id, scripted) in (2..).zip(scripted) {
        api.script_fetches(process_id, repeat_n(scripted, 2));
        deliver(inbox.address(), &completed(process_id)).await;
        row(&inbox, process_id, "failed").await;
    }
    let deliveries = inbox.get("/deliveries").await.body;
    let deliveries = String::from_utf8(deliveries).unwrap();
    for text in [inbox.said(), deliveries] {
        assert!(text.contains("the API responded with status 500"), "{text}");
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains("api_key"), "{text}");
    }
}

#[tokio::test]
async fn failed_task_is_recorded_without_a_fetch() {
    let (directory, api) = (Directory::new("failed"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[]).await;
    let events = [
        r#"{"event":"task.completed","process_id":1,"status":"failed","error":"No \u0000 credits"}"#,
        r#"{"event":"task.completed","process_id":2,"status":"failed"}"#,
        r#"{"event":"task.completed","process_id":3,"status":"paused"}"#,
        r#"{"event":"task.completed","process_id":5,"status":"failed","error":{"code":"no_credits"}}"#,
        r#"{"event":"task.completed","process_id":6,"status":"failed","error":null}"#,
    ];
    for event in events {
        deliver(inbox.address(), event).await;
    }
    assert_eq!(row(&inbox, 1, "failed").await["error"], "No  credits");
    assert_eq!(row(&inbox, 2, "failed").await["error"], "the task failed");
    assert_eq!(row(&inbox, 3, "unknown status").await["status"], "paused");
    let error = r#"{"code":"no_credits"}"#;
    assert_eq!(row(&inbox, 5, "failed").await["error"], error);
    assert_eq!(row(&inbox, 6, "failed").await["error"], "the task failed");
    deliver(inbox.address(), &completed(4)).await;
    row(&inbox, 4, "stored").await;
    let ended = [1, 2, 3, 5, 6];
    assert!(ended.iter().all(|id| api.fetches(*id).is_empty()));
    assert_eq!(result(&inbox, 1).await.0, 404);
}

#[tokio::test]
async fn retries_with_growing_pauses_and_gives_up_at_the_limit() {
    let (directory, api) = (Directory::new("retries"), TaskApi::start().await);
    let inbox = start(&directory.database_url(), &api, &[("FETCH_ATTEMPTS", "4")]).await;
    api.script_fetches(1, repeat_n(ScriptedResponse::Status(503), 3));
    let begin = Instant::now();
    deliver(inbox.address(), &completed(1)).await;
    assert_eq!(row(&inbox, 1, "stored").await["attempts"], 4);
    assert!(begin.elapsed() >= Duration::from_millis(50 + 100 + 200));
    assert_eq!(result(&inbox, 1).await, (200, TaskApi::result(1, 4)));

    api.script_fetches(2, repeat_n(ScriptedResponse::Status(503), 4));
    deliver(inbox.address(), &completed(2)).await;
    let given_up = row(&inbox, 2, "failed").await;
    assert_eq!(given_up["error"], "the API responded with status 503");
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(api.fetches(2).len(), 4);
}

#[tokio::test]
async fn rejects_redirects_large_responses_and_other_formats_as_results() {
    let (directory, api) = (Directory::new("answers-rejected"), TaskApi::start().await);
    let elsewhere = TaskApi::start().await;
    let inbox = start(&directory.database_url(), &api, &[("FETCH_ATTEMPTS", "1")]).await;
    let flood = [b"[".to_vec(), vec![b' '; 16 * 1024 * 1024], b"]".to_vec()].concat();
    let rejected = [
        (
            ScriptedResponse::Redirect(format!("{}/task/1/data", elsewhere.origin())),
            "the API responded with status 302",
        ),
        (
            ScriptedResponse::Body(flood),
            "the response of the API is too large",
        ),
        (
            ScriptedResponse::Body(b"<html>".to_vec()),
            "the response of the API is not as documented",
        ),
    ];
    for (process_id, (scripted, error)) in (1..).zip(rejected) {
        api.script_fetches(process_id, [scripted]);
        deliver(inbox.address(), &completed(process_id)).await;
        assert_eq!(row(&inbox, process_id, "failed").await["error"], error);
    }
    assert_eq!(elsewhere.fetches(1), []);
}

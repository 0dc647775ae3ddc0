use core::iter::repeat_n;

use scrupp_verify_tests::{Program, ScriptedResponse, TaskApi, path};

use crate::{Directory, run};

#[tokio::test]
async fn polls_until_the_task_ends() {
    let api = TaskApi::start().await;
    api.statuses(1, ["queued", "running", "completed"]);
    api.script_fetches(1, [ScriptedResponse::Status(500)]);
    api.statuses(2, ["running", "failed"]);
    api.script_fetches(3, repeat_n(ScriptedResponse::Status(500), 2));
    api.statuses(4, ["partially_completed"]);
    for (process_id, status) in (5..).zip([401, 403, 404, 410, 308, 501, 202]) {
        api.script_fetches(process_id, [ScriptedResponse::Status(status)]);
    }
    for (process_id, error) in (12..).zip([r#"{"code":"no_credits"}"#, "null"]) {
        api.statuses(process_id, ["failed"]);
        api.error(process_id, error);
    }
    let origin = api.origin();
    let environment = [
        ("SCRUPP_API_ORIGIN", origin.as_str()),
        ("FETCH_PAUSE_SECONDS", "0.05"),
        ("FETCH_ATTEMPTS", "2"),
    ];
    let result = format!("{}\n", TaskApi::result(1, 2));
    let later_result = format!("{}\n", TaskApi::result(11, 2));
    let next = ", next request in 0.05 s\n";
    let error = "the API responded with status";
    let ends = [
        (
            "1",
            0,
            &*result,
            format!("task 1: queued{next}task 1: running{next}task 1: {error} 500{next}"),
        ),
        (
            "2",
            1,
            "",
            format!("task 2: running{next}task 2: no such company\n"),
        ),
        (
            "3",
            1,
            "",
            format!("task 3: {error} 500{next}task 3: {error} 500\n"),
        ),
        (
            "4",
            1,
            "",
            "task 4: unknown status \"partially_completed\"\n".to_owned(),
        ),
        ("5", 1, "", format!("task 5: {error} 401\n")),
        ("6", 1, "", format!("task 6: {error} 403\n")),
        ("7", 1, "", format!("task 7: {error} 404\n")),
        ("8", 1, "", format!("task 8: {error} 410\n")),
        ("9", 1, "", format!("task 9: {error} 308\n")),
        ("10", 1, "", format!("task 10: {error} 501\n")),
        (
            "11",
            0,
            &*later_result,
            format!("task 11: {error} 202{next}"),
        ),
        (
            "12",
            1,
            "",
            "task 12: {\"code\":\"no_credits\"}\n".to_owned(),
        ),
        ("13", 1, "", "task 13: failed\n".to_owned()),
    ];
    for (process_id, code, output, errors) in ends {
        let ended = run(&["poll", process_id], &environment).await;
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), errors);
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), output);
        assert_eq!(ended.status.code(), Some(code));
    }
}

#[tokio::test]
async fn invalid_key_ends_a_poll_at_once() {
    let api = TaskApi::start().await;
    let origin = api.origin();
    let environment = [
        ("SCRUPP_API_ORIGIN", origin.as_str()),
        ("SCRUPP_API_KEY", "another"),
    ];
    let ended = run(&["poll", "1"], &environment).await;
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(errors, "task 1: the API responded with status 401\n");
    assert_eq!(ended.status.code(), Some(1));
}

#[tokio::test]
async fn unwritable_output_ends_a_poll_only_if_it_is_the_result() {
    let api = TaskApi::start().await;
    let origin = api.origin();
    let environment = [
        ("SCRUPP_API_ORIGIN", origin.as_str()),
        ("FETCH_PAUSE_SECONDS", "0.05"),
    ];
    let poll = async |process_id: u64, redirect: &str| {
        api.statuses(process_id, ["running", "completed"]);
        let inbox = path("example-inbox");
        let command = format!("exec {} poll {process_id} {redirect}", inbox.display());
        let ended = Program::run("/bin/sh", &["-c", &command], &environment).await;
        let outputs = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap());
        (ended.status.code(), outputs)
    };
    let result = format!("{}\n", TaskApi::result(1, 1));
    let expected = (Some(0), [result, String::new()]);
    assert_eq!(poll(1, "2>/dev/full").await, expected);

    let (code, [_, errors]) = poll(2, ">/dev/full").await;
    assert_eq!(code, Some(1), "{errors}");
    let error = "task 2: cannot print the result: ";
    assert!(
        errors.lines().any(|line| line.starts_with(error)),
        "{errors}"
    );
    assert_eq!(poll(3, ">/dev/full 2>/dev/full").await.0, Some(1));
}

#[tokio::test]
async fn names_the_invalid_setting() {
    let attempts = "FETCH_ATTEMPTS: expected a number from 1 to 1000\n";
    let pause = "FETCH_PAUSE_SECONDS: expected a number from 0.01 to 3600\n";
    let timeout = "FETCH_TIMEOUT_SECONDS: expected a number from 0.1 to 3600\n";
    let settings = [
        (
            "SCRUPP_WEBHOOK_SECRET",
            "",
            "SCRUPP_WEBHOOK_SECRET is not set",
        ),
        (
            "SCRUPP_WEBHOOK_SECRET",
            " secret",
            "SCRUPP_WEBHOOK_SECRET: ",
        ),
        ("SCRUPP_API_KEY", "not a key", "SCRUPP_API_KEY: "),
        (
            "SCRUPP_API_KEY",
            "\"topsecret\"",
            "SCRUPP_API_KEY: the API key begins or ends with a quote",
        ),
        ("SCRUPP_API_KEY_IN", "cookie", "SCRUPP_API_KEY_IN: "),
        (
            "SCRUPP_API_ORIGIN",
            "http://api.scrupp.com",
            "SCRUPP_API_ORIGIN: ",
        ),
        (
            "DATABASE_URL",
            "oracle:inbox",
            "DATABASE_URL: expected a URL that begins with sqlite: or postgres:\n",
        ),
        (
            "DATABASE_URL",
            "inbox.db",
            "DATABASE_URL: expected a URL that begins with sqlite: or postgres:\n",
        ),
        ("DATABASE_URL", "sqlite:/nowhere/inbox.db", "DATABASE_URL: "),
        (
            "DATABASE_URL",
            "postgres://test@127.0.0.1:1/postgres",
            "DATABASE_URL: error communicating with database: ",
        ),
        ("FETCH_ATTEMPTS", "many", attempts),
        ("FETCH_ATTEMPTS", "0", attempts),
        ("FETCH_ATTEMPTS", "-1", attempts),
        ("FETCH_ATTEMPTS", "1001", attempts),
        ("FETCH_ATTEMPTS", "99999999999999999999", attempts),
        ("FETCH_PAUSE_SECONDS", "0", pause),
        ("FETCH_PAUSE_SECONDS", "-1", pause),
        ("FETCH_PAUSE_SECONDS", "NaN", pause),
        ("FETCH_PAUSE_SECONDS", "inf", pause),
        ("FETCH_PAUSE_SECONDS", "1e19", pause),
        ("FETCH_TIMEOUT_SECONDS", "0", timeout),
        ("FETCH_TIMEOUT_SECONDS", "-inf", timeout),
        ("FETCH_TIMEOUT_SECONDS", "1e19", timeout),
        ("FETCH_TIMEOUT_SECONDS", "1e99", timeout),
        ("FETCH_TIMEOUT_SECONDS", "NaN", timeout),
    ];
    for (name, value, said) in settings {
        let directory = Directory::new("settings");
        let environment = [
            ("DATABASE_URL", directory.database_url()),
            (name, value.to_owned()),
        ];
        let environment = environment
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let ended = run(&[], &environment).await;
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{name}={value}: {errors}");
        assert!(errors.starts_with(said), "{name}={value}: {errors}");
        assert!(!errors.contains("not a key"), "{errors}");
    }
    let ended = run(&["poll"], &[("BIND", "127.0.0.1:0")]).await;
    assert_eq!(ended.status.code(), Some(2));
}

#[tokio::test]
async fn empty_setting_counts_as_unset() {
    let api = TaskApi::start().await;
    let origin = api.origin();
    let empty = [
        "SCRUPP_API_KEY",
        "SCRUPP_API_KEY_IN",
        "FETCH_TIMEOUT_SECONDS",
        "FETCH_ATTEMPTS",
        "FETCH_PAUSE_SECONDS",
    ];
    let mut environment = empty.map(|name| (name, "")).to_vec();
    environment.push(("SCRUPP_API_ORIGIN", &origin));
    let ended = run(&["poll", "1"], &environment).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");

    // The default database is a file in the current directory.
    let environment = [("DATABASE_URL", ""), ("BIND", "nonsense")];
    let ended = run(&[], &environment).await;
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert!(errors.starts_with("BIND=nonsense: "), "{errors}");
}

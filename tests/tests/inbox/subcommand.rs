use core::iter::repeat_n;

use scrupp_verify_tests::{Program, TaskApi, Trouble};

use crate::Directory;

#[tokio::test]
async fn polls_until_a_task_has_ended() {
    let api = TaskApi::start().await;
    api.statuses(1, ["queued", "running", "completed"]);
    api.trouble(1, [Trouble::Status(500)]);
    api.statuses(2, ["running", "failed"]);
    api.trouble(3, repeat_n(Trouble::Status(500), 2));
    let origin = api.origin();
    let environment = [
        ("SCRUPP_API_ORIGIN", origin.as_str()),
        ("FETCH_PAUSE_SECONDS", "0.05"),
        ("FETCH_ATTEMPTS", "2"),
    ];
    let result = TaskApi::result(1, 2);
    let ends = [
        ("1", Some(0), format!("{result}\n"), ""),
        ("2", Some(1), String::new(), "task 2: no such company\n"),
        (
            "3",
            Some(1),
            String::new(),
            "task 3: the API answered 500\n",
        ),
    ];
    for (process_id, code, output, errors) in ends {
        let ended = Program::run("example-inbox", &["poll", process_id], &environment).await;
        assert_eq!(ended.status.code(), code);
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), output);
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), errors);
    }
}

#[tokio::test]
async fn says_which_setting_is_wrong() {
    let settings = [
        (
            "SCRUPP_WEBHOOK_SECRET",
            "",
            "SCRUPP_WEBHOOK_SECRET is not set",
        ),
        ("SCRUPP_API_KEY", "not a key", "SCRUPP_API_KEY: "),
        ("SCRUPP_API_KEY_IN", "cookie", "SCRUPP_API_KEY_IN: "),
        (
            "SCRUPP_API_ORIGIN",
            "http://api.scrupp.com",
            "SCRUPP_API_ORIGIN: ",
        ),
        ("DATABASE_URL", "oracle:inbox", "DATABASE_URL: "),
        ("DATABASE_URL", "sqlite:/nowhere/inbox.db", "DATABASE_URL: "),
        ("FETCH_ATTEMPTS", "many", "FETCH_ATTEMPTS: "),
        ("FETCH_PAUSE_SECONDS", "-1", "FETCH_PAUSE_SECONDS: "),
        ("FETCH_TIMEOUT_SECONDS", "1e99", "FETCH_TIMEOUT_SECONDS: "),
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
        let ended = Program::run("example-inbox", &[], &environment).await;
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{name}={value}: {errors}");
        assert!(errors.starts_with(said), "{errors}");
        assert!(!errors.contains("not a key"), "{errors}");
    }
    let ended = Program::run("example-inbox", &["poll"], &[("BIND", "127.0.0.1:0")]).await;
    assert_eq!(ended.status.code(), Some(2));
}

//! What an operator sees of the examples: their settings, and how they begin and end.

use scrupp_verify_tests::Program;

const EXAMPLES: [&str; 5] = [
    "example-axum",
    "example-actix",
    "example-warp",
    "example-hyper",
    "example-custom",
];

#[tokio::test]
async fn settings_that_are_wrong_are_named_and_nothing_starts() {
    let wrong = [
        (
            "SCRUPP_WEBHOOK_SECRET",
            "",
            "SCRUPP_WEBHOOK_SECRET: the secret is empty",
        ),
        (
            "SCRUPP_WEBHOOK_SECRET",
            " topsecret",
            "SCRUPP_WEBHOOK_SECRET: ",
        ),
        (
            "SCRUPP_WEBHOOK_SECRET_PREVIOUS",
            "",
            "SCRUPP_WEBHOOK_SECRET_PREVIOUS: ",
        ),
        ("BIND", "nonsense", "BIND=nonsense: "),
        ("BIND", "192.0.2.1:80", "BIND=192.0.2.1:80: "),
    ];
    for example in EXAMPLES {
        for (name, value, message) in wrong {
            let ended = Program::run(example, &[], &[(name, value)]).await;
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(
                ended.status.code(),
                Some(2),
                "{example}, {name}={value}: {said}"
            );
            assert!(
                said.lines().any(|line| line.starts_with(message)),
                "{example}: {said}"
            );
            assert!(!said.contains("topsecret"), "{example}: {said}");
            assert!(ended.stdout.is_empty(), "{example} says that it listens");
        }
    }
}

#[tokio::test]
async fn they_are_healthy_without_a_signature_and_end_cleanly() {
    let none: [(&str, &str); 0] = [];
    for example in EXAMPLES {
        let mut program = Program::start(example, &none).await;
        assert_eq!(program.get("/healthz").await.status, 200, "{example}");
        let deliveries = program.get("/deliveries").await;
        assert_eq!(
            (deliveries.status, &*deliveries.body),
            (200, &b"[]"[..]),
            "{example}"
        );
        assert_eq!(program.terminate().await, Some(0), "{example}");
    }
}

//! What the adapters' settings and errors say.
#![cfg(feature = "adapter")]

use core::time::Duration;

use scrupp_verify_core::{
    ConfigError, Tolerance,
    adapter::{Dedup, ExtractError},
    dedup::MemoryStore,
};

#[test]
fn refuses_a_retention_that_is_a_second_shorter_than_the_window() {
    let tolerance = Tolerance::default();
    let with = |secs| {
        let dedup = Dedup::new(MemoryStore::default());
        dedup.retention(Duration::from_secs(secs), tolerance)
    };
    assert_eq!(with(359).unwrap_err(), ConfigError::RetentionTooShort);
    assert!(with(361).is_ok());
    assert!(with(86_400).is_ok());
}

#[test]
fn answers_what_cannot_be_extracted_with_one_status_each() {
    let rows = [
        (
            ExtractError::NotVerified,
            500,
            r#"{"title":"Internal Server Error","status":500}"#,
            "the request has not been verified",
        ),
        (
            ExtractError::NotAnEvent,
            422,
            r#"{"title":"Unprocessable Content","status":422}"#,
            "the delivery is no event",
        ),
    ];
    for (error, status, problem, text) in rows {
        assert_eq!(error.status(), status);
        assert_eq!(error.problem(), problem);
        assert_eq!(error.to_string(), text);
    }
}

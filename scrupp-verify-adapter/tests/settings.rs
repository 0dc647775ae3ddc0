//! Accepted and rejected settings.
#![cfg(feature = "dedup")]

use core::time::Duration;

use scrupp_verify_adapter::Dedup;
use scrupp_verify_core::{ConfigError, Tolerance, dedup::MemoryStore};

#[test]
fn rejects_retention_shorter_than_the_window() {
    let tolerance = Tolerance::default();
    let with = |secs| {
        let dedup = Dedup::new(MemoryStore::default());
        dedup.retention(Duration::from_secs(secs), tolerance)
    };
    assert_eq!(with(359).unwrap_err(), ConfigError::RetentionTooShort);
    assert!(with(361).is_ok());
    assert!(with(86_400).is_ok());
}

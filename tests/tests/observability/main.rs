//! The alerts, the dashboard and the runbook.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod files;

//! The alerts, the dashboard and the runbook.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod end_to_end;
mod files;

const DASHBOARD: &str = include_str!("../../../observability/grafana/scrupp-verify.json");

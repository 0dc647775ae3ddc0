//! Metrics of the adapters of scrupp-verify, through the [`metrics`] facade.
//!
//! [`MetricsObserver`] counts deliveries by outcome and reason, and measures handlers, stores and memory.
//! Pass the observer to `ScruppVerify::observe` of an adapter. The folder `observability` of the repository
//! has a dashboard for Grafana, alerts for Prometheus and a runbook.
//!
//! # Metrics
//!
//! The observer records these metrics:
//!
//! | name | type | labels | meaning |
//! |---|---|---|---|
//! | `scrupp_verify_deliveries_total` | counter | `outcome`, `reason` | deliveries, each counted at most once |
//! | `scrupp_verify_verified_total` | counter | `secret_index` | verified deliveries, by the index of the secret that matched |
//! | `scrupp_verify_delivery_age_seconds` | histogram | | age of verified deliveries on arrival, by Scrupp's timestamp |
//! | `scrupp_verify_receive_seconds` | histogram | | time from the headers of a verified delivery to the end of the verification, including account lookup and body |
//! | `scrupp_verify_handler_seconds` | histogram | | time until the handler responded or was dropped |
//! | `scrupp_verify_store_operation_seconds` | histogram | `operation`, `result` | time of a store operation |
//! | `scrupp_verify_unverified_bytes` | gauge | | bytes of the budget that unverified bodies reserve |
//! | `scrupp_verify_unverified_bytes_limit` | gauge | | sum of the budgets of all adapters that have received a request |
//! | `scrupp_verify_lease_lost_total` | counter | | handlers that exceeded their lease, so another attempt claimed the delivery |
//!
//! The labels have these values:
//!
//! | label | values |
//! |---|---|
//! | `outcome` | `handled` (the handler responded with a 2xx), `failed` (it responded otherwise, or failed without a response), `dropped` (it was dropped or panicked before it responded), `duplicate`, `rejected` |
//! | `reason` | the name of the [`RejectionKind`] if `outcome` is `rejected`, otherwise `none` |
//! | `secret_index` | `0` to `3` |
//! | `operation` | `claim`, `commit`, `release` |
//! | `result` | `ok`, `failed`, `timed_out` |
//!
//! Every counter series starts with the value 0, so that Prometheus sees the first increase.
//!
//! # Security
//!
//! No label contains a path, an account, an address or an id, so a request cannot add a series.

#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core)]

use core::fmt;
use std::collections::HashMap;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use scrupp_verify_adapter::{Observation, Observer, StoreOperation, StoreResult};
use scrupp_verify_core::{Keyring, RejectionKind};

const DELIVERIES: &str = "scrupp_verify_deliveries_total";
const VERIFIED: &str = "scrupp_verify_verified_total";
const AGE: &str = "scrupp_verify_delivery_age_seconds";
const RECEIVE: &str = "scrupp_verify_receive_seconds";
const HANDLER: &str = "scrupp_verify_handler_seconds";
const STORE: &str = "scrupp_verify_store_operation_seconds";
const UNVERIFIED_BYTES: &str = "scrupp_verify_unverified_bytes";
const UNVERIFIED_BYTES_LIMIT: &str = "scrupp_verify_unverified_bytes_limit";
const LEASE_LOST: &str = "scrupp_verify_lease_lost_total";

/// The upper bounds of the buckets of each histogram, in seconds.
///
/// Set these buckets in the exporter for Prometheus. Without buckets, the exporter renders summaries, and
/// the quantiles of several processes cannot be combined.
///
/// # Examples
///
/// ```
/// use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut builder = PrometheusBuilder::new();
/// for (name, bounds) in scrupp_verify_metrics::BUCKETS {
///     builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)?;
/// }
/// let prometheus = builder.install_recorder()?;
/// # Ok(())
/// # }
/// ```
pub const BUCKETS: [(&str, &[f64]); 4] = [
    // Scrupp's timestamps are whole seconds.
    (AGE, &[0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0]),
    (RECEIVE, &[0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0]),
    (
        HANDLER,
        &[
            0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0,
        ],
    ),
    (
        STORE,
        &[0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5],
    ),
];

/// An [`Observer`] that reports to the recorder of the [`metrics`] facade.
///
/// # Placement
///
/// Install the recorder of the process before calling [`MetricsObserver::new`].
///
/// # Examples
///
/// ```
/// use metrics_exporter_prometheus::PrometheusBuilder;
/// use scrupp_verify_metrics::MetricsObserver;
/// use scrupp_verify_tower::{ScruppVerify, Secret};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let prometheus = PrometheusBuilder::new().install_recorder()?;
/// let layer = ScruppVerify::new(Secret::new("topsecret")?).observe(MetricsObserver::new());
/// assert!(prometheus.render().contains("scrupp_verify_lease_lost_total 0"));
/// # Ok(())
/// # }
/// ```
pub struct MetricsObserver {
    handled: Counter,
    failed: Counter,
    dropped: Counter,
    duplicate: Counter,
    rejected: HashMap<RejectionKind, Counter>,
    verified: [Counter; Keyring::MAX_SECRETS],
    age: Histogram,
    receive: Histogram,
    handler: Histogram,
    store: HashMap<(StoreOperation, StoreResult), Histogram>,
    unverified_bytes: Gauge,
    unverified_bytes_limit: Gauge,
    lease_lost: Counter,
}

impl MetricsObserver {
    /// Creates an observer, and registers the metrics with the recorder of the process.
    ///
    /// Without a recorder, the observer counts nothing. Several observers share the same metrics.
    #[must_use]
    pub fn new() -> Self {
        describe();
        let outcome = |outcome| counter!(DELIVERIES, "outcome" => outcome, "reason" => "none");
        let rejected = |kind: &RejectionKind| {
            let reason = kind.as_str();
            let counter = counter!(DELIVERIES, "outcome" => "rejected", "reason" => reason);
            (*kind, counter)
        };
        let mut store = HashMap::new();
        for operation in [
            StoreOperation::Claim,
            StoreOperation::Commit,
            StoreOperation::Release,
        ] {
            for result in [StoreResult::Ok, StoreResult::Failed, StoreResult::TimedOut] {
                let (of, with) = (operation.as_str(), result.as_str());
                let histogram = histogram!(STORE, "operation" => of, "result" => with);
                store.insert((operation, result), histogram);
            }
        }
        Self {
            handled: outcome("handled"),
            failed: outcome("failed"),
            dropped: outcome("dropped"),
            duplicate: outcome("duplicate"),
            rejected: RejectionKind::ALL.iter().map(rejected).collect(),
            verified: core::array::from_fn(
                |index| counter!(VERIFIED, "secret_index" => index.to_string()),
            ),
            age: histogram!(AGE),
            receive: histogram!(RECEIVE),
            handler: histogram!(HANDLER),
            store,
            unverified_bytes: gauge!(UNVERIFIED_BYTES),
            unverified_bytes_limit: gauge!(UNVERIFIED_BYTES_LIMIT),
            lease_lost: counter!(LEASE_LOST),
        }
    }
}

fn describe() {
    describe_counter!(DELIVERIES, Unit::Count, "Deliveries by outcome.");
    describe_counter!(
        VERIFIED,
        Unit::Count,
        "Verified deliveries by the index of the secret."
    );
    describe_histogram!(
        AGE,
        Unit::Seconds,
        "Age of verified deliveries on arrival, by Scrupp's timestamp."
    );
    describe_histogram!(
        RECEIVE,
        Unit::Seconds,
        "Time from the headers of a verified delivery to the end of the verification."
    );
    describe_histogram!(
        HANDLER,
        Unit::Seconds,
        "Time until the handler responded or was dropped."
    );
    describe_histogram!(STORE, Unit::Seconds, "Time of a store operation.");
    describe_gauge!(
        UNVERIFIED_BYTES,
        Unit::Bytes,
        "Bytes of the budget that unverified bodies reserve."
    );
    describe_gauge!(
        UNVERIFIED_BYTES_LIMIT,
        Unit::Bytes,
        "Budget for unverified bodies."
    );
    describe_counter!(
        LEASE_LOST,
        Unit::Count,
        "Handlers that exceeded their lease, so another attempt claimed the delivery."
    );
}

impl Observer for MetricsObserver {
    fn observe(&self, observation: &Observation<'_>) {
        match *observation {
            Observation::Verified { verified, time, .. } => {
                if let Some(counter) = self.verified.get(verified.secret_index()) {
                    counter.increment(1);
                }
                // Negative if the clock of Scrupp is ahead.
                self.age.record(verified.age_secs().max(0) as f64);
                self.receive.record(time);
            }
            Observation::Handled {
                is_success, time, ..
            } => {
                match is_success {
                    true => self.handled.increment(1),
                    false => self.failed.increment(1),
                }
                self.handler.record(time);
            }
            Observation::HandlerDropped { time, .. } => {
                self.dropped.increment(1);
                self.handler.record(time);
            }
            Observation::Duplicate { .. } => self.duplicate.increment(1),
            Observation::Rejected { rejection, .. } => {
                if let Some(counter) = self.rejected.get(&rejection.kind()) {
                    counter.increment(1);
                }
            }
            Observation::Store {
                operation,
                result,
                time,
                ..
            } => {
                if let Some(histogram) = self.store.get(&(operation, result)) {
                    histogram.record(time);
                }
            }
            Observation::LeaseLost { .. } => self.lease_lost.increment(1),
            Observation::UnverifiedBytes { change, .. } => {
                self.unverified_bytes.increment(change as f64);
            }
            Observation::UnverifiedBytesLimit { change, .. } => {
                self.unverified_bytes_limit.increment(change as f64);
            }
            _ => {}
        }
    }
}

impl Default for MetricsObserver {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MetricsObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsObserver").finish_non_exhaustive()
    }
}

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;

//! Metrics for Prometheus, on a separate address.

use std::net::SocketAddr;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};
use scrupp_verify_metrics::{BUCKETS, MetricsObserver};

use crate::environment;

/// Serves `/metrics` at `METRICS_BIND`, such as `127.0.0.1:9464`, and returns the observer that records
/// the metrics. Returns `None` if `METRICS_BIND` is not set.
///
/// # Errors
///
/// Returns an error if the address is invalid or in use.
pub(crate) fn observer() -> Result<Option<MetricsObserver>, String> {
    const NAME: &str = "METRICS_BIND";
    let Some(address) = environment::text(NAME)? else {
        return Ok(None);
    };
    let expected = |_| format!("{NAME}={address}: expected an IP address and a port");
    let parsed = address.parse().map_err(expected)?;
    serve(parsed).map_err(|error| format!("{NAME}={address}: {error}"))?;
    Ok(Some(MetricsObserver::new()))
}

fn serve(address: SocketAddr) -> Result<(), BuildError> {
    let mut prometheus = PrometheusBuilder::new().with_http_listener(address);
    for (name, bounds) in BUCKETS {
        prometheus = prometheus.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)?;
    }
    prometheus.install()
}

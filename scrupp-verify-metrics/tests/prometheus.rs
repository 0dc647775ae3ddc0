//! Metrics in the text format of Prometheus.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use metrics::with_local_recorder;
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use scrupp_verify_adapter::{Accepted, Config, Dedup};
use scrupp_verify_core::{
    RejectionKind, Secret, SignedHeaders, Signer, UnixTime,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore},
};
use scrupp_verify_metrics::{BUCKETS, MetricsObserver};

const NOW: u64 = 1_735_471_800;
const OLD: &str = "former secret";

struct Service {
    config: Config<(), ()>,
    prometheus: PrometheusHandle,
    _recorder: PrometheusRecorder,
}

impl Service {
    fn new(dedup: impl Into<Dedup>) -> Self {
        let mut builder = PrometheusBuilder::new();
        for (name, bounds) in BUCKETS {
            let name = Matcher::Full(name.to_owned());
            builder = builder.set_buckets_for_metric(name, bounds).unwrap();
        }
        let recorder = builder.build_recorder();
        let secrets = ["topsecret", OLD].map(|secret| Secret::new(secret).unwrap());
        let mut config = Config::new(secrets, ());
        config.clock = std::sync::Arc::new(|| Some(UnixTime::from_secs(NOW)));
        config.dedup = Some(dedup.into());
        config.observe(with_local_recorder(&recorder, MetricsObserver::new));
        Self {
            config,
            prometheus: recorder.handle(),
            _recorder: recorder,
        }
    }

    async fn deliver(&self, headers: &SignedHeaders, body: &[u8]) -> Option<Accepted> {
        let mut body = Full::new(Bytes::copy_from_slice(body));
        let received = self.config.receive(headers, &(), None, &mut body).await;
        received.ok().flatten()
    }

    /// Returns the value of a series.
    fn value(&self, series: &str) -> String {
        let rendered = self.prometheus.render();
        let mut values = rendered
            .lines()
            .filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let value = values.next();
        value
            .unwrap_or_else(|| panic!("no {series} in {rendered}"))
            .to_owned()
    }

    fn outcomes(&self) -> [String; 5] {
        ["handled", "failed", "dropped", "duplicate"]
            .map(|outcome| (outcome, "none"))
            .into_iter()
            .chain([("rejected", "signature_mismatch")])
            .map(|(outcome, reason)| {
                let labels = format!("outcome=\"{outcome}\",reason=\"{reason}\"");
                self.value(&format!("scrupp_verify_deliveries_total{{{labels}}}"))
            })
            .collect::<Vec<_>>()
            .try_into()
            .unwrap()
    }

    fn series(&self) -> usize {
        let rendered = self.prometheus.render();
        rendered
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count()
    }
}

fn signed(secret: &str, age: u64, body: &[u8]) -> SignedHeaders {
    Signer::new(&Secret::new(secret).unwrap()).sign(UnixTime::from_secs(NOW - age), body)
}

#[tokio::test]
async fn counts_each_outcome_once() {
    let service = Service::new(MemoryStore::default());
    assert_eq!(service.outcomes(), ["0"; 5]);
    let headers = signed("topsecret", 7, b"{}");
    let accepted = service.deliver(&headers, b"{}").await.unwrap();
    drop(accepted);
    assert_eq!(service.outcomes(), ["0", "0", "1", "0", "0"]);
    for status in [Some(500), None] {
        let accepted = service.deliver(&headers, b"{}").await.unwrap();
        accepted.handler.complete(status, false).await;
    }
    assert_eq!(service.outcomes(), ["0", "2", "1", "0", "0"]);
    let accepted = service.deliver(&headers, b"{}").await.unwrap();
    accepted.handler.complete(Some(204), false).await;
    assert_eq!(service.outcomes(), ["1", "2", "1", "0", "0"]);
    assert!(service.deliver(&headers, b"{}").await.is_none());
    assert_eq!(service.outcomes(), ["1", "2", "1", "1", "0"]);
    assert!(service.deliver(&headers, b"[]").await.is_none());
    assert_eq!(service.outcomes(), ["1", "2", "1", "1", "1"]);

    let verified = |index| {
        service.value(&format!(
            "scrupp_verify_verified_total{{secret_index=\"{index}\"}}"
        ))
    };
    assert_eq!([0, 1, 2, 3].map(verified), ["5", "0", "0", "0"]);
    let age = |le| {
        service.value(&format!(
            "scrupp_verify_delivery_age_seconds_bucket{{le=\"{le}\"}}"
        ))
    };
    assert_eq!(["5", "10"].map(age), ["0", "5"]);
    assert_eq!(service.value("scrupp_verify_receive_seconds_count"), "5");
    assert_eq!(service.value("scrupp_verify_handler_seconds_count"), "4");
    let operations = |operation| {
        let labels = format!("operation=\"{operation}\",result=\"ok\"");
        let name = "scrupp_verify_store_operation_seconds_count";
        service.value(&format!("{name}{{{labels}}}"))
    };
    assert_eq!(
        ["claim", "commit", "release"].map(operations),
        ["5", "1", "3"]
    );
}

#[tokio::test]
async fn records_the_secret_index_and_the_budget() {
    let service = Service::new(MemoryStore::default());
    let body = vec![b' '; 20_000];
    let accepted = service.deliver(&signed(OLD, 0, &body), &body).await;
    drop(accepted);
    assert_eq!(
        service.value("scrupp_verify_verified_total{secret_index=\"1\"}"),
        "1"
    );
    assert_eq!(service.value("scrupp_verify_unverified_bytes"), "0");
    let limit = service.value("scrupp_verify_unverified_bytes_limit");
    assert_eq!(limit, "67108864");
}

/// A store that loses every claim, and hangs on a release.
struct Broken;

impl DeliveryStore for Broken {
    type Error = &'static str;

    async fn claim(
        &self,
        _: DeliveryId,
        _: ClaimToken,
        _: Duration,
    ) -> Result<Claim, &'static str> {
        Ok(Claim::Granted)
    }

    async fn commit(
        &self,
        _: DeliveryId,
        _: ClaimToken,
        _: Duration,
    ) -> Result<bool, &'static str> {
        Ok(false)
    }

    async fn release(&self, _: DeliveryId, _: ClaimToken) -> Result<(), &'static str> {
        core::future::pending().await
    }
}

#[tokio::test]
async fn counts_lost_leases_and_timed_out_operations() {
    let dedup = Dedup::new(Broken).store_timeout(Duration::from_millis(20));
    let service = Service::new(dedup);
    let headers = signed("topsecret", 0, b"{}");
    for status in [200, 500] {
        let accepted = service.deliver(&headers, b"{}").await.unwrap();
        accepted.handler.complete(Some(status), false).await;
    }
    assert_eq!(service.value("scrupp_verify_lease_lost_total"), "1");
    let labels = "operation=\"release\",result=\"timed_out\"";
    let name = "scrupp_verify_store_operation_seconds_count";
    assert_eq!(service.value(&format!("{name}{{{labels}}}")), "1");
}

#[tokio::test]
async fn requests_add_no_series() {
    let service = Service::new(MemoryStore::default());
    // One delivery first, because some series could start with their first value.
    let headers = signed("topsecret", 0, b"{}");
    let accepted = service.deliver(&headers, b"{}").await.unwrap();
    accepted.handler.complete(Some(200), false).await;
    let series = service.series();
    for number in 0..1000 {
        let body = format!("{{\"process_id\":{number}}}");
        let secret = format!("{number}");
        service
            .deliver(&signed(&secret, number, body.as_bytes()), body.as_bytes())
            .await;
        let hostile = [
            ("x-scrupp-signature", format!("sha256={number}\n\"}}")),
            ("x-scrupp-timestamp", format!("{number}\",a=\"")),
        ];
        let hostile: Vec<_> = hostile
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let mut body = Full::new(Bytes::new());
        let received = service
            .config
            .receive(&*hostile, &(), None, &mut body)
            .await;
        assert!(received.is_err());
    }
    assert_eq!(service.series(), series);
    for kind in RejectionKind::ALL {
        let labels = format!("outcome=\"rejected\",reason=\"{}\"", kind.as_str());
        service.value(&format!("scrupp_verify_deliveries_total{{{labels}}}"));
    }
}

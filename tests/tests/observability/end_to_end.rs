//! Evaluates the queries of the dashboard and of the alerts in Prometheus, after deliveries of
//! every outcome.

use core::{future::pending, ops::RangeInclusive, time::Duration};
use std::{net::SocketAddr, path::Path};

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use scrupp_verify_core::dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore};
use scrupp_verify_metrics::{BUCKETS, MetricsObserver};
use scrupp_verify_tests::{
    Connection, Delivery, PREVIOUS_SECRET, Program, Prometheus, SECRET, Step, free_port, signed,
};
use scrupp_verify_tower::{Dedup, ScruppVerify, Secret};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep, sleep_until},
};

use crate::DASHBOARD;

/// Value of `$__rate_interval`: the time of the deliveries, and some seconds before the first.
const WINDOW: Duration = Duration::from_secs(20);

/// Time from the first delivery to the check of the panels.
const CHECK: Duration = Duration::from_secs(14);

/// Base number of deliveries. Each outcome occurs a multiple of this number of times.
const COUNT: u64 = 10;

/// Last digit of a process id that makes the handler fail or hang.
const FAILS: u64 = 1;
const HANGS: u64 = 2;

/// A store with a fixed result of each claim, and commits that are too late.
struct Store {
    claim: Result<Claim, &'static str>,
}

impl DeliveryStore for Store {
    type Error = &'static str;

    async fn claim(
        &self,
        _: DeliveryId,
        _: ClaimToken,
        _: Duration,
    ) -> Result<Claim, &'static str> {
        self.claim
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
        Ok(())
    }
}

/// Serves the metrics of this process.
fn serve_metrics() -> SocketAddr {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut builder = PrometheusBuilder::new().with_http_listener(address);
    for (name, bounds) in BUCKETS {
        let name = Matcher::Full(name.to_owned());
        builder = builder.set_buckets_for_metric(name, bounds).unwrap();
    }
    builder.install().unwrap();
    address
}

/// Starts a receiver with a separate layer and store, and returns its address.
async fn serve(dedup: impl Into<Dedup>) -> SocketAddr {
    let secrets = [SECRET, PREVIOUS_SECRET].map(|secret| Secret::new(secret).unwrap());
    let verify = ScruppVerify::new(secrets)
        .dedup(dedup)
        .observe(MetricsObserver::new());
    let handler = async |body: Bytes| {
        let event: Value = serde_json::from_slice(&body).unwrap();
        match event["process_id"].as_u64().unwrap() % 10 {
            FAILS => StatusCode::INTERNAL_SERVER_ERROR,
            HANGS => pending().await,
            _ => StatusCode::OK,
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/webhooks/scrupp", post(handler).layer(verify));
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

async fn deliver(to: SocketAddr, delivery: &Delivery) -> u16 {
    let mut connection = Connection::open(to).await.unwrap();
    let steps = [Step::Send(delivery.request())];
    connection.send(&steps).await.unwrap();
    connection.response().await.unwrap().status
}

/// Sends a delivery, and disconnects while the handler runs.
async fn hang_up(to: SocketAddr, delivery: &Delivery) {
    let mut connection = Connection::open(to).await.unwrap();
    let steps = [Step::Send(delivery.request())];
    connection.send(&steps).await.unwrap();
    sleep(Duration::from_millis(200)).await;
}

/// Sends deliveries of every outcome, with a multiple of [`COUNT`] for each.
async fn send_to_service([service, broken, late]: [SocketAddr; 3]) {
    let old = |delivery: &mut Delivery| delivery.sign_with(PREVIOUS_SECRET, delivery.now);
    for number in 1..=COUNT {
        let mut handled = signed(number * 10);
        old(&mut handled);
        assert_eq!(deliver(service, &handled).await, 200);
        for fails in 0..2 {
            let fails = signed(number * 100 + fails * 10 + FAILS);
            assert_eq!(deliver(service, &fails).await, 500);
        }
        for _duplicate in 0..3 {
            assert_eq!(deliver(service, &handled).await, 200);
        }
        for _forged in 0..4 {
            let mut forged = signed(number);
            forged.sign_with("another", forged.now);
            assert_eq!(deliver(service, &forged).await, 401);
        }
        for _stale in 0..5 {
            let mut stale = signed(number);
            stale.sign_with(SECRET, stale.now - 400);
            assert_eq!(deliver(service, &stale).await, 401);
        }
        assert_eq!(deliver(broken, &signed(number * 10)).await, 503);
        assert_eq!(deliver(late, &signed(number * 10)).await, 200);
    }
    for number in 1..=COUNT {
        hang_up(service, &signed(number * 10 + HANGS)).await;
    }
}

async fn send_to_example(example: &Program) {
    for number in 1..=COUNT {
        assert_eq!(example.deliver(&signed(number)).await, 200);
        assert_eq!(example.deliver(&signed(number)).await, 200);
        let mut no_event = signed(number);
        no_event.body = format!("[{number}]").into();
        no_event.sign();
        assert_eq!(example.deliver(&no_event).await, 422);
        let mut forged = signed(number);
        forged.body.push(b' ');
        assert_eq!(example.deliver(&forged).await, 401);
    }
}

/// Returns a range around the number of deliveries in the window. Prometheus extrapolates to the
/// ends of the window.
fn about(count: u64) -> RangeInclusive<f64> {
    let count = count as f64;
    count * 0.9..=count * 1.3
}

/// Returns the expected range of each series of a panel, by label values.
fn expected(title: &str) -> Vec<(&'static [&'static str], RangeInclusive<f64>)> {
    let per_second = |count: u64| {
        let (low, high) = about(count).into_inner();
        low / WINDOW.as_secs_f64()..=high / WINDOW.as_secs_f64()
    };
    match title {
        "Outcomes" => vec![
            // Includes the deliveries with a late commit.
            (&["handled"], per_second(2 * COUNT)),
            (&["failed"], per_second(2 * COUNT)),
            (&["dropped"], per_second(COUNT)),
            (&["duplicate"], per_second(3 * COUNT)),
            (&["rejected"], per_second(10 * COUNT)),
        ],
        "Rejections by reason" => vec![
            (&["signature_mismatch"], per_second(4 * COUNT)),
            (&["too_old"], per_second(5 * COUNT)),
            (&["store_unavailable"], per_second(COUNT)),
            (&["missing_signature"], 0.0..=0.0),
        ],
        // A timestamp has whole seconds.
        "Age of deliveries" => vec![(&[], 0.0..=2.0)],
        "Time to verify" => vec![(&[], 1e-6..=0.1)],
        "Time in the handler" => vec![(&[], 1e-6..=0.5)],
        "Time in the store" => vec![
            (&["claim"], 1e-9..=0.1),
            (&["commit"], 1e-9..=0.1),
            (&["release"], 1e-9..=0.1),
        ],
        "Store errors" => vec![(&["claim", "failed"], about(COUNT))],
        "Lost leases" => vec![(&[], about(COUNT))],
        "Secret in use" => vec![
            (&["1"], per_second(4 * COUNT)),
            (&["0"], per_second(5 * COUNT)),
        ],
        // One body is being received. There are three layers.
        "Unverified bodies" => vec![(&[], 20_000.0..=3.0 * 67_108_864.0)],
        "Budget in use" => vec![(&[], 1e-5..=1e-3)],
        _ => panic!("a panel without a check: {title}"),
    }
}

/// Checks the values of the dashboard's panels for an instance.
async fn check_panels(prometheus: &Prometheus, instance: SocketAddr, only: Option<&str>) {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        if only.is_some_and(|only| only != title) {
            continue;
        }
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let query = query
                .replace("$job", ".*")
                .replace("$instance", &instance.to_string())
                .replace("$__rate_interval", &format!("{}s", WINDOW.as_secs()));
            let samples = prometheus.query(&query).await;
            for (labels, range) in expected(title) {
                let has = |metric: &Value, label: &&str| {
                    let mut values = metric.as_object().unwrap().values();
                    values.any(|value| value == *label)
                };
                let found: Vec<_> = samples
                    .iter()
                    .filter(|(metric, _)| labels.iter().all(|label| has(metric, label)))
                    .collect();
                assert!(
                    matches!(&found[..], [(_, value)] if range.contains(value)),
                    "{title} {labels:?}: {found:?} is not {range:?}: {query} {samples:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_shows_what_was_sent_and_every_alert_can_be_evaluated() {
    let metrics = serve_metrics();
    let service = serve(MemoryStore::default()).await;
    let claim = Err("no route to the store");
    let broken = serve(Store { claim }).await;
    let claim = Ok(Claim::Granted);
    let late = serve(Store { claim }).await;
    let of_example = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let bind = of_example.to_string();
    let settings = [("METRICS_BIND", &*bind), ("STORE_URL", "memory:")];
    let example = Program::start("example-axum", &settings).await;
    // The first value of a histogram creates its series.
    for (address, status) in [(service, 200), (broken, 503), (late, 200)] {
        assert_eq!(deliver(address, &signed(9)).await, status);
    }
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR"));
    let alerts = alerts.join("../observability/prometheus/alerts.yaml");
    let prometheus = Prometheus::start(&[metrics, of_example], &alerts).await;
    let scraped = async |query: &str, samples: usize| {
        for _ in 0..200 {
            if prometheus.query(query).await.len() == samples {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("not scraped: {query}");
    };
    scraped("scrupp_verify_lease_lost_total offset 6s", 2).await;

    let sent = Instant::now();
    send_to_example(&example).await;
    send_to_service([service, broken, late]).await;
    assert!(sent.elapsed() < CHECK - Duration::from_secs(3), "too slow");
    sleep_until(sent + CHECK - Duration::from_secs(3)).await;
    // A body that stays incomplete.
    let mut slow = Connection::open(service).await.unwrap();
    let mut large = signed(1);
    large.pad_to(20_000);
    let mut request = large.request();
    request.truncate(15_000);
    slow.send(&[Step::Send(request)]).await.unwrap();
    sleep_until(sent + CHECK).await;
    check_panels(&prometheus, metrics, None).await;

    let outcomes =
        format!("sum by (outcome) (scrupp_verify_deliveries_total{{instance=\"{of_example}\"}})");
    for (metric, value) in prometheus.query(&outcomes).await {
        let expected = match metric["outcome"].as_str() {
            Some("dropped") => 0.0,
            _ => COUNT as f64,
        };
        assert!((value - expected).abs() < 0.1, "{metric}: {value}");
    }

    let rules = prometheus.get("/api/v1/rules").await;
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() >= 9);
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        let query = rule["query"].as_str().unwrap();
        prometheus.query(query).await;
    }
}

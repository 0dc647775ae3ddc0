//! The log, line by line. No line contains a byte of a header or a body.
#![cfg(all(feature = "axum", feature = "tracing"))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;
use std::{
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    http::StatusCode,
    routing::{MethodRouter, post},
};
use http::Request;
use scrupp_verify_tower::{
    Account, Dedup, ScruppClaim, ScruppEvent, ScruppVerify, Secret, SignedHeaders, Signer,
    UnixTime,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore},
};
use tokio::time::timeout;
use tower::ServiceExt;
use tracing::Level;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
};

const NOW: u64 = 1_735_471_800;
const EVENT: &str = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn layer() -> ScruppVerify {
    let keys = [
        Secret::new("topsecret").unwrap(),
        Secret::new("former").unwrap(),
    ];
    ScruppVerify::new(keys).clock(|| Some(UnixTime::from_secs(NOW)))
}

/// Returns the log of a delivery that was signed `age` seconds ago.
fn logged(layer: Option<ScruppVerify>, secret: &str, age: u64, body: &str) -> String {
    logged_by(layer, secret, age, body, post(async |_: ScruppEvent| {}))
}

fn logged_by(
    layer: Option<ScruppVerify>,
    secret: &str,
    age: u64,
    body: &str,
    handler: MethodRouter,
) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let headers = tracing::subscriber::with_default(subscriber, || {
        deliver(layer, secret, age, body, handler)
    });
    let log = log.0.lock().unwrap().clone();
    let log = String::from_utf8(log).unwrap();
    for secret in [
        headers.signature(),
        headers.timestamp(),
        "6666",
        "topsecret",
    ] {
        assert!(!log.contains(secret), "{log}");
    }
    log
}

/// Sends a delivery that was signed `age` seconds ago, and returns its headers.
fn deliver(
    layer: Option<ScruppVerify>,
    secret: &str,
    age: u64,
    body: &str,
    handler: MethodRouter,
) -> SignedHeaders {
    let sent = UnixTime::from_secs(NOW - age);
    let headers = Signer::new(&Secret::new(secret).unwrap()).sign(sent, body.as_bytes());
    let mut request = Request::post("/");
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let router = Router::new().route("/", handler);
    let router = match layer {
        Some(layer) => router.layer(layer),
        None => router,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // The timeout drops a handler that never responds.
    let response = async { timeout(Duration::from_millis(200), router.oneshot(request)).await };
    let _ = catch_unwind(AssertUnwindSafe(|| runtime.block_on(response)));
    headers
}

/// A store that fails in one operation.
struct Failing(&'static str);

impl DeliveryStore for Failing {
    type Error = &'static str;

    async fn claim(&self, _: DeliveryId, _: ClaimToken, _: Duration) -> Result<Claim, Self::Error> {
        match self.0 {
            "claim" => Err("no route to the store"),
            "claimed" => Ok(Claim::InFlight),
            _ => Ok(Claim::Granted),
        }
    }

    async fn commit(&self, _: DeliveryId, _: ClaimToken, _: Duration) -> Result<bool, Self::Error> {
        match self.0 {
            "commit" => Err("no route to the store"),
            "lease" => Ok(false),
            _ => core::future::pending().await,
        }
    }

    async fn release(&self, _: DeliveryId, _: ClaimToken) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Returns the default delivery id of [`EVENT`].
fn event_id() -> DeliveryId {
    DeliveryId::of(&[
        b"",
        b"task.completed",
        &6666_u64.to_be_bytes(),
        b"completed",
    ])
}

#[test]
fn logs_each_genuine_delivery_on_one_line_with_its_outcome() {
    let id = event_id();
    let fields = format!("delivery_id={id} age_secs=17 secret_index=1\n");
    let handled = " INFO scrupp_verify: delivery handled outcome=\"handled\" status=200 ";
    assert_eq!(
        logged(Some(layer()), "former", 17, EVENT),
        format!("{handled}{fields}")
    );

    let layer = layer().dedup(MemoryStore::default());
    let log = || {
        let handler = post(async |_: ScruppEvent| StatusCode::IM_A_TEAPOT);
        logged_by(Some(layer.clone()), "former", 17, EVENT, handler)
    };
    let failed = " INFO scrupp_verify: delivery not handled outcome=\"failed\" status=418 ";
    assert_eq!(log(), format!("{failed}{fields}"));
    let log = || logged(Some(layer.clone()), "former", 17, EVENT);
    assert_eq!(log(), format!("{handled}{fields}"));
    let duplicate =
        " INFO scrupp_verify: delivery already handled outcome=\"duplicate\" status=200 ";
    assert_eq!(log(), format!("{duplicate}{fields}"));
}

#[test]
fn logs_dropped_and_panicked_handlers_as_warnings() {
    let fields = format!("delivery_id={} age_secs=0 secret_index=0\n", event_id());
    let dropped = post(async |_: ScruppEvent| core::future::pending::<()>().await);
    let log = logged_by(Some(layer()), "topsecret", 0, EVENT, dropped);
    let line =
        " WARN scrupp_verify: the handler was dropped before it responded outcome=\"dropped\" ";
    assert_eq!(log, format!("{line}{fields}"));

    let panics = post(async |_: ScruppEvent| panic!("the handler panics") as StatusCode);
    let log = logged_by(Some(layer()), "topsecret", 0, EVENT, panics);
    let line =
        " WARN scrupp_verify: the handler was dropped before it responded outcome=\"panicked\" ";
    assert_eq!(log, format!("{line}{fields}"));
}

/// With per-layer filters, a call of `tracing::enabled!` would suppress a later event of the application.
#[test]
fn per_layer_filters_do_not_lose_events_of_the_application() {
    let log = Log::default();
    let writer = log.clone();
    let application = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .with_filter(Targets::new().with_target("my_app", Level::INFO));
    let everything = tracing_subscriber::fmt::layer()
        .with_writer(io::sink)
        .with_filter(LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry()
        .with(application)
        .with(everything);
    let handler = post(async |_: ScruppEvent| {
        tracing::info!(target: "my_app", "in the handler");
    });
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..3 {
            deliver(Some(layer()), "topsecret", 0, EVENT, handler.clone());
            tracing::info!(target: "my_app", "first");
            tracing::info!(target: "my_app", "second");
        }
    });
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for message in ["in the handler", "first", "second"] {
        assert_eq!(log.matches(message).count(), 3, "{log}");
    }
}

#[test]
fn duplicate_of_an_inner_layer_is_not_logged_as_handled() {
    let inner = layer().dedup(MemoryStore::default());
    let log = || {
        let handler = post(async |_: ScruppEvent| {}).layer(inner.clone());
        logged_by(Some(layer()), "topsecret", 0, EVENT, handler)
    };
    assert_eq!(log().matches("outcome=\"handled\"").count(), 2);
    let duplicate = log();
    assert_eq!(duplicate.lines().count(), 1, "{duplicate}");
    assert!(duplicate.contains("outcome=\"duplicate\""), "{duplicate}");
}

#[test]
fn logs_kind_and_age_of_rejected_delivery() {
    let log = logged(Some(layer()), "another", 0, EVENT);
    let line = " INFO scrupp_verify: the signature matches none of the secrets kind=\"signature_mismatch\"\n";
    assert_eq!(log, line);
    let log = logged(Some(layer()), "topsecret", 301, EVENT);
    let line = " INFO scrupp_verify: the timestamp is too old kind=\"too_old\" age_secs=301\n";
    assert_eq!(log, line);
    // An attacker can send a timestamp of 1970.
    let log = logged(Some(layer()), "another", NOW - 1, EVENT);
    let line = " INFO scrupp_verify: the timestamp is too old kind=\"too_old\" age_secs=86400\n";
    assert_eq!(log, line);
}

#[test]
fn logs_account_of_rejected_and_handled_deliveries() {
    let lookup = |_: &http::request::Parts| async {
        let secret = Secret::new("topsecret").unwrap();
        Ok::<_, &str>(Some(Account::new("customer-17", secret)))
    };
    let layer = ScruppVerify::with_account_lookup(lookup).clock(|| Some(UnixTime::from_secs(NOW)));
    let log = logged(Some(layer.clone()), "another", 0, EVENT);
    let line = " INFO scrupp_verify: the signature matches none of the secrets \
        kind=\"signature_mismatch\" account=db2f1aab1da8bb83\n";
    assert_eq!(log, line);
    let log = logged(Some(layer), "topsecret", 0, EVENT);
    assert!(log.contains("outcome=\"handled\""), "{log}");
    assert!(log.contains(" account=db2f1aab1da8bb83 "), "{log}");
}

#[test]
fn logs_failures_of_lookup_and_clock_as_errors() {
    let lookup = |_: &http::request::Parts| async { Err::<Option<Account>, _>("no such table") };
    let lookup = ScruppVerify::with_account_lookup(lookup).clock(|| Some(UnixTime::from_secs(NOW)));
    let log = logged(Some(lookup), "topsecret", 0, EVENT);
    let lines = "ERROR scrupp_verify: the account lookup failed error=no such table\n\
        ERROR scrupp_verify: the account lookup failed kind=\"secrets_unavailable\"\n";
    assert_eq!(log, lines);
    let log = logged(Some(layer().clock(|| None)), "topsecret", 0, EVENT);
    assert_eq!(
        log,
        "ERROR scrupp_verify: the clock returned no time kind=\"clock_unavailable\"\n"
    );
}

#[test]
fn logs_the_operation_at_which_the_store_fails() {
    let id = event_id();
    let verified = format!("delivery_id={id} age_secs=0 secret_index=0\n");
    let handled =
        format!(" INFO scrupp_verify: delivery handled outcome=\"handled\" status=200 {verified}");
    for (failing, expected) in [
        (
            "claim",
            "ERROR scrupp_verify: the delivery store failed operation=\"claim\" ID error=\"no route to the store\"\n\
             ERROR scrupp_verify: the delivery store failed kind=\"store_unavailable\" ID\n",
        ),
        // Not an error: Scrupp may try again while a handler runs.
        (
            "claimed",
            " INFO scrupp_verify: another attempt is being handled kind=\"in_flight\" ID\n",
        ),
        (
            "commit",
            "ERROR scrupp_verify: the delivery store failed operation=\"commit\" ID error=\"no route to the store\"\n",
        ),
        (
            "lease",
            "ERROR scrupp_verify: the handler took longer than its lease, and the delivery was claimed again ID\n",
        ),
        (
            "pending",
            "ERROR scrupp_verify: the delivery store failed operation=\"commit\" ID error=\"deadline has elapsed\"\n",
        ),
    ] {
        let dedup = Dedup::new(Failing(failing)).store_timeout(Duration::from_millis(50));
        let log = logged(Some(layer().dedup(dedup)), "topsecret", 0, EVENT);
        let expected = expected.replace("ID", &format!("delivery_id={id}"));
        let handled = if failing.starts_with("claim") {
            ""
        } else {
            &handled
        };
        assert_eq!(log, format!("{handled}{expected}"), "{failing}");
    }
}

#[test]
fn logs_missing_layer_missing_store_and_malformed_event_as_errors() {
    let log = logged(None, "topsecret", 0, EVENT);
    let line = "ERROR scrupp_verify: a handler extracts a verified delivery, but ScruppVerify does not wrap it\n";
    assert_eq!(log, line);
    let handler = post(async |_: ScruppClaim| {});
    let log = logged_by(Some(layer()), "topsecret", 0, EVENT, handler);
    let line = "ERROR scrupp_verify: a handler extracts a claim, but no ScruppVerify with a store wraps it";
    assert_eq!(log.lines().next(), Some(line));
    for dedup in [false, true] {
        let layer = match dedup {
            false => layer(),
            true => layer().dedup(Dedup::new(MemoryStore::default()).scope("crm")),
        };
        let id = DeliveryId::of(&[b"", b"{}"]);
        let id = match dedup {
            false => id,
            true => DeliveryId::of(&[b"crm", id.as_bytes()]),
        };
        let log = logged(Some(layer), "topsecret", 0, "{}");
        let line = format!(
            "ERROR scrupp_verify: a verified delivery is not an event delivery_id={id} error="
        );
        assert!(log.starts_with(&line), "{log}");
        let line = format!(
            " INFO scrupp_verify: delivery not handled outcome=\"failed\" status=422 \
             delivery_id={id} age_secs=0 secret_index=0\n"
        );
        assert!(log.ends_with(&line), "{log}");
    }
}

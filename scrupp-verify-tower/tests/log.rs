//! The log, line by line: kinds, ages and indices, never a byte of a header or a body.
#![cfg(all(feature = "axum", feature = "tracing"))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, routing::post};
use http::Request;
use scrupp_verify_tower::{
    Account, Dedup, ScruppEvent, ScruppVerify, Secret, Signer, UnixTime,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore},
};
use tower::ServiceExt;
use tracing::Level;

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

/// Returns the log of a delivery that was signed so many seconds ago.
fn logged(layer: Option<ScruppVerify>, secret: &str, age: u64, body: &str) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let sent = UnixTime::from_secs(NOW - age);
    let headers = Signer::new(&Secret::new(secret).unwrap()).sign(sent, body.as_bytes());
    let mut request = Request::post("/");
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let router = Router::new().route("/", post(async |_: ScruppEvent| {}));
    let router = match layer {
        Some(layer) => router.layer(layer),
        None => router,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(router.oneshot(request)).unwrap();
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

/// A store with one operation that fails.
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

#[test]
fn logs_age_and_secret_index_of_verified_delivery() {
    let log = logged(Some(layer()), "former", 17, EVENT);
    assert_eq!(
        log,
        "DEBUG scrupp_verify: delivery verified age_secs=17 secret_index=1\n"
    );
}

#[test]
fn logs_kind_and_age_of_rejected_delivery() {
    let log = logged(Some(layer()), "another", 0, EVENT);
    let line = " INFO scrupp_verify: the signature matches none of the secrets kind=\"signature_mismatch\"\n";
    assert_eq!(log, line);
    let log = logged(Some(layer()), "topsecret", 301, EVENT);
    let line = " INFO scrupp_verify: the timestamp is too old kind=\"too_old\" age_secs=301\n";
    assert_eq!(log, line);
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
        "ERROR scrupp_verify: the clock gives no time kind=\"clock_unavailable\"\n"
    );
}

#[test]
fn logs_the_operation_at_which_the_store_fails() {
    let verified = "DEBUG scrupp_verify: delivery verified age_secs=0 secret_index=0\n";
    for (failing, expected) in [
        (
            "claim",
            "ERROR scrupp_verify: the delivery store failed operation=\"claim\" error=no route to the store\n\
             ERROR scrupp_verify: the delivery store failed kind=\"store_unavailable\"\n",
        ),
        // Not an error: a sender may try again while a handler runs.
        (
            "claimed",
            " INFO scrupp_verify: another attempt is being handled kind=\"in_flight\"\n",
        ),
        (
            "commit",
            "ERROR scrupp_verify: the delivery store failed operation=\"commit\" error=no route to the store\n",
        ),
        (
            "lease",
            "ERROR scrupp_verify: the handler took longer than its lease, and the delivery was claimed again\n",
        ),
        (
            "pending",
            "ERROR scrupp_verify: the delivery store failed operation=\"commit\" error=deadline has elapsed\n",
        ),
    ] {
        let dedup = Dedup::new(Failing(failing)).store_timeout(Duration::from_millis(50));
        let log = logged(Some(layer().dedup(dedup)), "topsecret", 0, EVENT);
        assert_eq!(log, format!("{verified}{expected}"), "{failing}");
    }
    let log = logged(
        Some(layer().dedup(MemoryStore::default())),
        "topsecret",
        0,
        EVENT,
    );
    assert_eq!(log, verified);
}

#[test]
fn logs_missing_layer_and_malformed_event_as_errors() {
    let log = logged(None, "topsecret", 0, EVENT);
    let line = "ERROR scrupp_verify: a handler asks for a verified delivery, but ScruppVerify is not around it\n";
    assert_eq!(log, line);
    let log = logged(Some(layer()), "topsecret", 0, "{}");
    assert!(
        log.contains("ERROR scrupp_verify: a verified delivery is not an event error="),
        "{log}"
    );
}

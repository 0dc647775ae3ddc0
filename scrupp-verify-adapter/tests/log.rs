//! The table of log events in the crate docs has every event, with its level and its fields.
#![cfg(all(feature = "dedup", feature = "events", feature = "tracing"))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{fmt, future::pending, time::Duration};
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::Full;
use scrupp_verify_adapter::{
    Accepted, Config, Dedup, Observation, Rejected, read_claim, read_event,
};
use scrupp_verify_core::{
    Account, RejectionKind, Secret, Signer, UnixTime,
    dedup::{Claim, ClaimToken, Claimed, DeliveryId, DeliveryStore, MemoryStore},
};
use tokio::task::JoinSet;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
};

const NOW: u64 = 1_735_471_800;
const BODY: &[u8] = b"{}";
const SOURCE: &str = include_str!("../src/lib.rs");

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Logged {
    level: String,
    message: String,
    fields: BTreeSet<String>,
}

impl Visit for Logged {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => drop(self.fields.insert(name.to_owned())),
        }
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<BTreeSet<Logged>>>);

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() != "scrupp_verify" {
            return;
        }
        let level = metadata.level().as_str().to_lowercase();
        let mut logged = Logged {
            level,
            ..Logged::default()
        };
        event.record(&mut logged);
        self.0.lock().unwrap().insert(logged);
    }
}

/// Returns the rows of the table.
fn table() -> Vec<Logged> {
    let (_, table) = SOURCE.split_once("//! # Log\n").unwrap();
    let (table, _) = table.split_once("//! # ").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = rows.skip(1).map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [message, level, fields, ..] = cells[..] else {
            panic!("{row}");
        };
        let names = fields.split('`').skip(1).step_by(2);
        Logged {
            message: message.to_owned(),
            level: level.to_owned(),
            fields: names.map(str::to_owned).collect(),
        }
    });
    rows.collect()
}

/// Returns the event as in the table, which has one row for all rejections.
fn in_table(mut logged: Logged) -> Logged {
    if logged.fields.contains("kind") {
        let is_text = |kind: &RejectionKind| kind.to_string() == logged.message;
        assert!(RejectionKind::ALL.iter().any(is_text), "{logged:?}");
        "*the reason for the rejection*".clone_into(&mut logged.message);
    }
    logged
}

/// A store with fixed results.
struct Store {
    claim: Result<Claim, &'static str>,
    commit: bool,
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
        Ok(self.commit)
    }

    async fn release(&self, _: DeliveryId, _: ClaimToken) -> Result<(), &'static str> {
        Ok(())
    }
}

type Settings = Config<(), ()>;

fn at_now(mut config: Settings) -> Settings {
    config.clock = Arc::new(|| Some(UnixTime::from_secs(NOW)));
    config.body_timeout = Duration::from_secs(1);
    config
}

fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

fn config(dedup: impl Into<Dedup>) -> Settings {
    let mut config = at_now(Config::new(secret(), ()));
    config.dedup = Some(dedup.into());
    config
}

/// Receives a delivery that was signed `age` seconds ago.
async fn receive(
    config: &Settings,
    age: u64,
    claimed: Option<&Claimed>,
) -> Result<Option<Accepted>, Rejected> {
    let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW - age), BODY);
    let mut body = Full::new(Bytes::from(BODY));
    config.receive(&headers, &(), claimed, &mut body).await
}

async fn accept(config: &Settings) -> Accepted {
    receive(config, 0, None).await.unwrap().unwrap()
}

async fn outcomes() {
    let config = with_account(config(MemoryStore::default()));
    drop(accept(&config).await);
    let failed = accept(&config).await;
    failed.handler.complete(Some(500), false).await;
    let accepted = accept(&config).await;
    let panics = AssertUnwindSafe(|| {
        let _accepted = accepted;
        panic!("the handler panics")
    });
    assert!(catch_unwind(panics).is_err());
    let accepted = accept(&config).await;
    let claimed = accepted.handler.claimed().unwrap();
    assert!(read_event(Some(&accepted.delivery), Some(&claimed)).is_err());
    let inner = receive(&config, 0, Some(&claimed)).await.unwrap().unwrap();
    inner.handler.complete(None, false).await;
    accepted.handler.complete(Some(200), false).await;
    assert!(receive(&config, 0, None).await.unwrap().is_none());
    assert!(receive(&config, 301, None).await.is_err());
}

/// Returns the same settings with an account lookup.
fn with_account(config: Settings) -> Settings {
    let lookup = |_: &()| async { Ok::<_, &str>(Some(Account::new("17", secret()))) };
    let mut looked_up = at_now(Config::with_account_lookup(lookup, ()));
    looked_up.dedup = config.dedup;
    looked_up
}

async fn stores() {
    let of = |claim, commit| with_account(config(Store { claim, commit }));
    for claim in [Err("no route to the store"), Ok(Claim::InFlight)] {
        assert!(receive(&of(claim, true), 0, None).await.is_err());
    }
    let accepted = accept(&of(Ok(Claim::Granted), false)).await;
    accepted.handler.complete(Some(200), false).await;
    assert!(read_event(None, None).is_err());
    assert!(read_claim(None).is_err());
}

async fn lookups() {
    let fails = |_: &()| async { Err::<Option<Account>, _>("no such table") };
    let fails = at_now(Config::with_account_lookup(fails, ()));
    assert!(receive(&fails, 0, None).await.is_err());
    let hangs = |_: &()| pending::<Result<Option<Account>, &str>>();
    let hangs = Arc::new(at_now(Config::with_account_lookup(hangs, ())));
    let mut running = JoinSet::new();
    for _ in 0..65 {
        let hangs = Arc::clone(&hangs);
        running.spawn(async move { receive(&hangs, 0, None).await.is_err() });
    }
    assert!(running.join_all().await.into_iter().all(|failed| failed));
}

async fn observer() {
    let mut config = config(MemoryStore::default());
    config.observe(|_: &Observation<'_>| panic!("the observer panics"));
    accept(&config).await.handler.complete(None, false).await;
}

#[tokio::test(start_paused = true)]
async fn table_in_the_docs_has_every_event() {
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    outcomes().await;
    stores().await;
    lookups().await;
    observer().await;

    let table = table();
    let logged = core::mem::take(&mut *log.0.lock().unwrap());
    let logged: Vec<_> = logged.into_iter().map(in_table).collect();
    for event in &logged {
        let is_row = |row: &&Logged| {
            row.message == event.message
                && row.level == event.level
                && row.fields.is_superset(&event.fields)
        };
        assert!(table.iter().any(|row| is_row(&row)), "missing: {event:?}");
    }
    for row in &table {
        // Only a failure of the operating system causes this event.
        if row.message == "a claim token cannot be generated" {
            continue;
        }
        let of_row = logged
            .iter()
            .filter(|event| (&event.message, &event.level) == (&row.message, &row.level));
        let fields: BTreeSet<_> = of_row.flat_map(|event| event.fields.clone()).collect();
        assert_eq!(fields, row.fields, "{row:?}");
    }
}

//! Sends deliveries to four receivers that share a store, while receivers, store and senders fail.
//! Counts the outcome of each delivery.
//!
//! Handlers fail and hang, senders disconnect, and receivers are killed. The server of the store is
//! killed, fails over, loses power, and stops responding. Two loads run at the same time, each with
//! its own receivers and store. In one, retries repeat the headers of the first attempt. In the
//! other, each retry is signed again. `--long` sends 10,000 deliveries in each.
//!
//! A failover waits until the replica is in sync, so no record is lost. If a delivery is handled
//! twice, the failover is not the cause.

mod report;
mod servers;

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::PathBuf,
    process,
    sync::Arc,
};

use report::Report;
use scrupp_verify_tests::{Attempt, Program, Retries, Scrupp};
use servers::{Fault, Servers};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{interval, sleep},
};

const RECEIVERS: usize = 4;
const PER_SECOND: u64 = 100;

/// Longer than the lease of the receivers.
const SETTLING: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let (mut store, mut deliveries) = ("redis".to_owned(), 1_500);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--store", Some(name)) if servers::STORES.contains(&name.as_str()) => store = name,
            ("--long", None) => deliveries = 10_000,
            _ => {
                eprintln!(
                    "usage: soak [--store {}] [--long]",
                    servers::STORES.join("|")
                );
                process::exit(2);
            }
        }
    }
    println!("store {store}");
    let (same, new) = tokio::join!(
        soak(&store, deliveries, Retries::SameHeaders),
        soak(&store, deliveries, Retries::NewHeaders)
    );
    if !(same && new) {
        process::exit(1);
    }
}

async fn soak(store: &str, deliveries: u64, retries: Retries) -> bool {
    let log = std::env::temp_dir().join(format!("soak-{}-{retries:?}.log", process::id()));
    fs::write(&log, "").expect("a log");
    let mut receivers = Receivers::start(store, log.clone()).await;
    let sender = Scrupp::new(retries)
        .timeout(Duration::from_secs(1))
        .max_attempts(300);

    let mut sending = JoinSet::new();
    sending.spawn(send_all(sender, receivers.addresses(), deliveries));
    let attempts = loop {
        tokio::select! {
            Some(attempts) = sending.join_next() => break attempts.expect("sent"),
            () = sleep(Duration::from_millis(1200)) => receivers.fail().await,
        }
    };
    sleep(SETTLING).await;
    let written = fs::read_to_string(&log).expect("a log");
    let in_flight = receivers.servers.claims().await;
    let report = Report::new(&attempts, &receivers.harm, in_flight, &written);
    report.print(retries, &receivers.harm);
    let _ = fs::remove_file(log);
    report.is_sound()
}

/// Sends every delivery until it is acknowledged, at most 300 at once.
async fn send_all(
    sender: Scrupp,
    receivers: Vec<SocketAddr>,
    deliveries: u64,
) -> Vec<Vec<Attempt>> {
    let under_way = Arc::new(Semaphore::new(300));
    let mut pace = interval(Duration::from_millis(1000 / PER_SECOND));
    let mut sending = JoinSet::new();
    for process_id in 0..deliveries {
        pace.tick().await;
        let permit = Arc::clone(&under_way).acquire_owned().await;
        let (sender, mut receivers) = (sender.clone(), receivers.clone());
        fastrand::shuffle(&mut receivers);
        sending.spawn(async move {
            let event = format!(
                r#"{{"event":"task.completed","process_id":{process_id},"status":"completed"}}"#
            );
            let attempts = sender.deliver(&receivers, &event).await;
            drop(permit);
            attempts
        });
    }
    sending.join_all().await
}

/// The receivers and the store that they share.
struct Receivers {
    servers: Servers,
    receivers: Vec<Program>,
    log: PathBuf,
    /// The next faults, in reverse order.
    upcoming: Vec<Fault>,
    harm: Harm,
}

/// The faults so far.
#[derive(Default)]
struct Harm {
    killed: BTreeSet<u32>,
    /// Number of times that each fault of the store occurred.
    faults: BTreeMap<Fault, usize>,
}

impl Harm {
    fn includes_the_store(&self) -> bool {
        !self.faults.is_empty()
    }

    fn count(&self, fault: Fault) -> usize {
        self.faults.get(&fault).copied().unwrap_or_default()
    }
}

impl Receivers {
    async fn start(store: &str, log: PathBuf) -> Self {
        let mut receivers = Self {
            servers: Servers::start(store).await,
            receivers: Vec::new(),
            log,
            upcoming: Vec::new(),
            harm: Harm::default(),
        };
        for _ in 0..RECEIVERS {
            let receiver = receivers.receiver("127.0.0.1:0").await;
            receivers.receivers.push(receiver);
        }
        receivers
    }

    async fn receiver(&self, bind: &str) -> Program {
        let settings = [
            ("BIND", bind.to_owned()),
            ("STORE_URL", self.servers.url()),
            ("SOAK_LOG", self.log.display().to_string()),
        ];
        Program::start("soak-receiver", &settings).await
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.receivers.iter().map(Program::address).collect()
    }

    /// Kills and restarts a receiver, or causes a fault of the store.
    async fn fail(&mut self) {
        if self.upcoming.is_empty() {
            self.upcoming = self.servers.faults().to_vec();
            self.upcoming.extend([Fault::KilledReceiver; 2]);
            fastrand::shuffle(&mut self.upcoming);
        }
        match self.upcoming.pop() {
            None | Some(Fault::KilledReceiver) => self.kill_receiver().await,
            Some(fault) => {
                self.servers.fail(fault).await;
                *self.harm.faults.entry(fault).or_default() += 1;
            }
        }
    }

    async fn kill_receiver(&mut self) {
        let receiver = self.receivers.swap_remove(fastrand::usize(..RECEIVERS));
        let address = receiver.address();
        self.harm.killed.insert(receiver.kill().await);
        sleep(Duration::from_millis(300)).await;
        let receiver = self.receiver(&address.to_string()).await;
        self.receivers.push(receiver);
    }
}

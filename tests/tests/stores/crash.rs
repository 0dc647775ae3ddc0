//! Processes that are killed between any two statements of a handler lose no delivery, and handle
//! none twice.

use core::{net::SocketAddr, time::Duration};
use std::{
    env,
    io::{Read, stdin},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use scrupp_verify_tests::{Postgres, Retries, Scrupp, is_acknowledged, signed};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};

use crate::{
    Directory,
    transaction::{Database, Point},
};

const LEASE: Duration = Duration::from_millis(500);

/// Minimum number of deliveries in each database.
const DELIVERIES: u64 = 500;

/// Number of kills at each point in each database.
const KILLS: usize = 10;

const POINTS: [Point; 6] = [
    Point::Claimed,
    Point::Begun,
    Point::Affected,
    Point::Acknowledged,
    Point::Committed,
    Point::Completed,
];

#[tokio::test]
async fn sqlite_has_each_effect_once_despite_kills_at_every_point() {
    let directory = Directory::new();
    has_each_effect_once(directory.file().to_str().unwrap()).await;
}

#[tokio::test]
async fn postgres_has_each_effect_once_despite_kills_at_every_point() {
    let postgres = Postgres::start().await;
    has_each_effect_once(&postgres.url()).await;
}

async fn has_each_effect_once(url: &str) {
    let database = Database::open(url).await;
    database.create_tables().await;
    let (address, receiver) = watch::channel(SocketAddr::from(([0, 0, 0, 0], 0)));
    let load = Arc::new(Load::default());
    let mut senders = JoinSet::new();
    for _ in 0..12 {
        senders.spawn(Arc::clone(&load).send(receiver.clone()));
    }
    for kill in 0..KILLS {
        for point in POINTS {
            // The attempt varies from kill to kill.
            let stop = format!("{point:?} {}", 1 + kill % 5);
            let mut worker = Worker::start(url, &stop, &address).await;
            worker.line("reached").await;
            worker.child.kill().await.unwrap();
            let (effects, acknowledged) = database.counts().await;
            assert_eq!(effects, acknowledged, "{point:?}");
        }
    }
    let _worker = Worker::start(url, "", &address).await;
    load.is_finished.store(true, SeqCst);
    let mut sent: Vec<_> = senders.join_all().await.into_iter().flatten().collect();
    sent.sort_unstable();

    let ids: Vec<_> = sent.iter().map(|(process_id, _)| *process_id).collect();
    assert_eq!(database.effects().await, ids);
    let count = i64::try_from(ids.len()).unwrap();
    assert_eq!(database.counts().await, (count, count));
    let hit = sent.iter().filter(|(_, attempts)| *attempts > 1).count();
    let kills = KILLS * POINTS.len();
    println!("{count} deliveries, {hit} with several attempts, {kills} kills");
    assert!(hit >= kills, "only {hit} deliveries with several attempts");
}

/// The state that the senders share.
#[derive(Default)]
struct Load {
    last: AtomicU64,
    is_finished: AtomicBool,
}

impl Load {
    /// Sends one delivery after another until each is acknowledged. Returns the deliveries with
    /// their numbers of attempts.
    async fn send(self: Arc<Self>, receiver: watch::Receiver<SocketAddr>) -> Vec<(i64, usize)> {
        let scrupp = Scrupp::new(Retries::NewHeaders).max_attempts(1);
        let mut sent = Vec::new();
        loop {
            let process_id = self.last.fetch_add(1, SeqCst) + 1;
            if process_id > DELIVERIES && self.is_finished.load(SeqCst) {
                return sent;
            }
            let event = String::from_utf8(signed(process_id).body).unwrap();
            let mut attempts = 0;
            loop {
                let address = *receiver.borrow();
                attempts += 1;
                if is_acknowledged(&scrupp.deliver(&[address], &event).await) {
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
            sent.push((i64::try_from(process_id).unwrap(), attempts));
        }
    }
}

/// A server in a separate process.
struct Worker {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

/// Environment variable with the database of a worker, and the point and the attempt at which the
/// worker stops.
const SETTINGS: &str = "SCRUPP_TEST_WORKER";

impl Worker {
    /// Starts a worker, and publishes its address to the senders.
    async fn start(url: &str, stop: &str, address: &watch::Sender<SocketAddr>) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["crash::worker", "--exact", "--ignored", "--nocapture"])
            .env(SETTINGS, format!("{url} {stop}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut worker = Self { child, output };
        let listens = worker.line("listening on ").await;
        address.send_replace(listens.parse().unwrap());
        worker
    }

    /// Waits for a line with a prefix, and returns the rest of the line.
    async fn line(&mut self, prefix: &str) -> String {
        let line = async {
            loop {
                let line = self.output.next_line().await.unwrap();
                if let Some(rest) = line.expect("a running worker").strip_prefix(prefix) {
                    return rest.to_owned();
                }
            }
        };
        timeout(Duration::from_secs(60), line).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs as a process of other tests"]
async fn worker() {
    let Ok(settings) = env::var(SETTINGS) else {
        return;
    };
    let mut settings = settings.split(' ');
    let database = Database::open(settings.next().unwrap()).await;
    let (point, pass) = (settings.next().unwrap().to_owned(), settings.next());
    let mut passes: u32 = pass.map_or(0, |pass| pass.parse().unwrap());
    let (address, mut points) = database.serve(LEASE).await;
    // On a new line, because the test harness may have written to this one.
    println!("\nlistening on {address}");
    tokio::spawn(async move {
        let mut stopped = Vec::new();
        loop {
            let (at, next) = points.next().await;
            if format!("{at:?}") == point {
                passes = passes.saturating_sub(1);
                if passes == 0 {
                    println!("reached");
                    stopped.push(next);
                    continue;
                }
            }
            let _ = next.send(true);
        }
    });
    // Exits when the process that started the worker ends.
    let _ = spawn_blocking(|| stdin().read(&mut [0])).await;
}

//! Deliveries under all that can go wrong at once: four receivers share a Redis, their handlers
//! fail and hang, senders hang up, receivers are killed, and Redis goes away. Then counts what
//! became of each delivery. `--long` sends ten times as many.

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::PathBuf,
    process,
    sync::Arc,
};

use scrupp_verify_tests::{Attempt, Program, Redis, Retries, Scrupp, is_acknowledged};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{interval, sleep},
};

const RECEIVERS: usize = 4;
const PER_SECOND: u64 = 100;

/// Longer than a lease of the receivers.
const SETTLING: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let deliveries = match std::env::args().nth(1).as_deref() {
        None => 1_500,
        Some("--long") => 10_000,
        Some(_) => {
            eprintln!("usage: soak [--long]");
            process::exit(2);
        }
    };
    let (as_before, anew) = tokio::join!(
        soak(deliveries, Retries::AsBefore),
        soak(deliveries, Retries::SignedAnew)
    );
    if !(as_before && anew) {
        process::exit(1);
    }
}

async fn soak(deliveries: u64, retries: Retries) -> bool {
    let log = std::env::temp_dir().join(format!("soak-{}-{retries:?}.log", process::id()));
    fs::write(&log, "").expect("a log");
    let mut cluster = Cluster::start(log.clone()).await;
    let sender = Scrupp::new(retries)
        .timeout(Duration::from_secs(1))
        .max_attempts(300);

    let mut sending = JoinSet::new();
    sending.spawn(send_all(sender, cluster.addresses(), deliveries));
    let attempts = loop {
        tokio::select! {
            Some(attempts) = sending.join_next() => break attempts.expect("sent"),
            () = sleep(Duration::from_millis(1200)) => cluster.fail().await,
        }
    };
    sleep(SETTLING).await;
    let written = fs::read_to_string(&log).expect("a log");
    let report = Report::new(&attempts, &cluster.harm, cluster.in_flight(), &written);
    report.print(retries, &cluster.harm);
    let _ = fs::remove_file(log);
    report.is_sound()
}

/// Every delivery with all its attempts, a few hundred at once.
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

/// The receivers and their Redis.
struct Cluster {
    redis: Redis,
    receivers: Vec<Program>,
    log: PathBuf,
    harm: Harm,
}

/// What was done to them.
#[derive(Default)]
struct Harm {
    killed: BTreeSet<u32>,
    redis_stops: usize,
}

impl Cluster {
    async fn start(log: PathBuf) -> Self {
        let mut cluster = Self {
            redis: Redis::start(&[]),
            receivers: Vec::new(),
            log,
            harm: Harm::default(),
        };
        for _ in 0..RECEIVERS {
            let receiver = cluster.receiver("127.0.0.1:0").await;
            cluster.receivers.push(receiver);
        }
        cluster
    }

    async fn receiver(&self, bind: &str) -> Program {
        let settings = [
            ("BIND", bind.to_owned()),
            ("REDIS_URL", self.redis.url()),
            ("SOAK_LOG", self.log.display().to_string()),
        ];
        Program::start("soak-receiver", &settings).await
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.receivers.iter().map(Program::address).collect()
    }

    /// Kills a receiver, or Redis, and starts it again a moment later.
    async fn fail(&mut self) {
        if fastrand::u8(..5) == 0 {
            self.redis.kill();
            sleep(Duration::from_secs(2)).await;
            self.redis.restart();
            self.harm.redis_stops += 1;
            return;
        }
        let receiver = self.receivers.swap_remove(fastrand::usize(..RECEIVERS));
        let address = receiver.address();
        self.harm.killed.insert(receiver.kill().await);
        sleep(Duration::from_millis(300)).await;
        let receiver = self.receiver(&address.to_string()).await;
        self.receivers.push(receiver);
    }

    /// How many deliveries Redis still holds for somebody.
    fn in_flight(&self) -> usize {
        let mut connection = self.redis.connection();
        let keys = redis::cmd("KEYS")
            .arg("*")
            .query::<Vec<String>>(&mut connection);
        let keys = keys.expect("keys").into_iter();
        let value = |key| {
            redis::cmd("GET")
                .arg(key)
                .query::<Option<String>>(&mut connection)
        };
        let values = keys.map(value).filter_map(|value| value.expect("a value"));
        values.filter(|value| value != "acknowledged").count()
    }
}

/// What became of the deliveries.
#[derive(Default)]
struct Report {
    deliveries: usize,
    attempts: usize,
    acknowledged: usize,
    handled: usize,
    handled_once: usize,
    again_after_kill: usize,
    again_after_failed_commit: usize,
    again_for_no_reason: usize,
    in_flight: usize,
}

impl Report {
    fn new(deliveries: &[Vec<Attempt>], harm: &Harm, in_flight: usize, log: &str) -> Self {
        let mut report = Self {
            deliveries: deliveries.len(),
            attempts: deliveries.iter().map(Vec::len).sum(),
            acknowledged: deliveries.iter().filter(|a| is_acknowledged(a)).count(),
            in_flight,
            ..Self::default()
        };
        let mut successes = BTreeMap::<&str, Vec<&str>>::new();
        let mut commits = BTreeMap::<(&str, &str), &str>::new();
        for line in log.lines() {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["success", pid, id] => successes.entry(id).or_default().push(pid),
                ["commit", pid, id, result] => drop(commits.insert((pid, id), result)),
                _ => panic!("a log of another kind: {line}"),
            }
        }
        report.handled = successes.len();
        for (id, pids) in &successes {
            // All but the last one should have been the last one.
            let Some((_, earlier)) = pids.split_last() else {
                continue;
            };
            report.handled_once += usize::from(earlier.is_empty());
            for pid in earlier {
                let killed = pid.parse().is_ok_and(|pid| harm.killed.contains(&pid));
                match commits.get(&(*pid, *id)) {
                    Some(&"done") => report.again_for_no_reason += 1,
                    None if killed => report.again_after_kill += 1,
                    None | Some(&"failed") if harm.redis_stops > 0 => {
                        report.again_after_failed_commit += 1
                    }
                    _ => report.again_for_no_reason += 1,
                }
            }
        }
        report
    }

    /// Acknowledged without having been handled, or never acknowledged.
    fn lost(&self) -> usize {
        self.acknowledged.saturating_sub(self.handled) + (self.deliveries - self.acknowledged)
    }

    fn is_sound(&self) -> bool {
        self.lost() == 0 && self.again_for_no_reason == 0 && self.in_flight == 0
    }

    fn print(&self, retries: Retries, harm: &Harm) {
        println!("retries {retries:?}");
        println!("  deliveries           {}", self.deliveries);
        println!("  attempts             {}", self.attempts);
        println!("  acknowledged         {}", self.acknowledged);
        println!("  handled once         {}", self.handled_once);
        println!("  handled again, as");
        println!(
            "    killed before the commit      {}",
            self.again_after_kill
        );
        println!(
            "    Redis was gone at the commit  {}",
            self.again_after_failed_commit
        );
        println!(
            "    anything else                 {}",
            self.again_for_no_reason
        );
        println!("  in flight for ever   {}", self.in_flight);
        println!("  lost                 {}", self.lost());
        println!("  receivers killed     {}", harm.killed.len());
        println!("  Redis stopped        {}", harm.redis_stops);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(deliveries: &[Vec<Attempt>], killed: &[u32], log: &str) -> Report {
        let harm = Harm {
            killed: killed.iter().copied().collect(),
            redis_stops: 0,
        };
        Report::new(deliveries, &harm, 0, log)
    }

    #[test]
    fn tells_a_delivery_that_is_handled_again_after_its_commit() {
        let log = "success 1 a\ncommit 1 a done\nsuccess 2 a\ncommit 2 a done\n";
        let report = report(&[vec![Some(200)]], &[1], log);
        assert_eq!(report.again_for_no_reason, 1);
        assert!(!report.is_sound());
    }

    #[test]
    fn tells_one_that_was_killed_before_its_commit() {
        let log = "success 1 a\nsuccess 2 a\ncommit 2 a done\n";
        let killed = report(&[vec![None, Some(200)]], &[1], log);
        assert_eq!((killed.again_after_kill, killed.is_sound()), (1, true));
        let alive = report(&[vec![None, Some(200)]], &[], log);
        assert_eq!((alive.again_for_no_reason, alive.is_sound()), (1, false));
    }

    #[test]
    fn tells_what_is_lost() {
        let never_handled = report(&[vec![Some(200)]], &[], "");
        assert_eq!((never_handled.lost(), never_handled.is_sound()), (1, false));
        let never_acknowledged = report(&[vec![Some(503), None]], &[], "");
        assert_eq!(
            (never_acknowledged.lost(), never_acknowledged.is_sound()),
            (1, false)
        );
    }
}

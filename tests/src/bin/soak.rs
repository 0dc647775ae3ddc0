//! Sends deliveries while everything fails at once: four receivers share a Redis with a replica,
//! handlers fail and hang, senders hang up, and receivers are killed. Redis is stopped, fails over,
//! and goes silent on open connections. Then counts the result of each delivery. `--long` sends
//! 10,000 of them.
//!
//! A failover waits until the replica is in sync, so every record survives it, and each delivery
//! that is handled twice has to have another reason.

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::PathBuf,
    process,
    sync::Arc,
};

use scrupp_verify_tests::{Attempt, Program, Proxy, Redis, Retries, Scrupp, is_acknowledged};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, block_in_place},
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
    let report = Report::new(&attempts, &cluster.harm, cluster.redis.claims(), &written);
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

/// The receivers and their Redis, which they reach through a proxy.
struct Cluster {
    redis: Redis,
    replica: Redis,
    proxy: Proxy,
    receivers: Vec<Program>,
    log: PathBuf,
    /// The faults that come next, the last one first.
    to_come: Vec<Fault>,
    harm: Harm,
}

#[derive(Clone, Copy)]
enum Fault {
    KilledReceiver,
    StoppedRedis,
    Failover,
    Silence,
}

/// What was done to them.
#[derive(Default)]
struct Harm {
    killed: BTreeSet<u32>,
    redis_stops: usize,
    failovers: usize,
    silences: usize,
}

impl Harm {
    fn includes_redis(&self) -> bool {
        self.redis_stops + self.failovers + self.silences > 0
    }
}

impl Cluster {
    async fn start(log: PathBuf) -> Self {
        let redis = Redis::start(&[]);
        let mut cluster = Self {
            replica: redis.start_replica(),
            proxy: Proxy::start(redis.address()).await,
            redis,
            receivers: Vec::new(),
            log,
            to_come: Vec::new(),
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
            ("REDIS_URL", self.proxy.redis_url()),
            ("SOAK_LOG", self.log.display().to_string()),
        ];
        Program::start("soak-receiver", &settings).await
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.receivers.iter().map(Program::address).collect()
    }

    /// Kills a receiver or Redis and starts it again a moment later, fails over, or lets open
    /// connections go silent.
    async fn fail(&mut self) {
        if self.to_come.is_empty() {
            self.to_come = vec![
                Fault::KilledReceiver,
                Fault::KilledReceiver,
                Fault::StoppedRedis,
                Fault::Failover,
                Fault::Silence,
            ];
            fastrand::shuffle(&mut self.to_come);
        }
        match self.to_come.pop().unwrap_or(Fault::KilledReceiver) {
            Fault::StoppedRedis => {
                self.redis.kill();
                sleep(Duration::from_secs(2)).await;
                self.redis.restart();
                self.harm.redis_stops += 1;
            }
            Fault::Failover => {
                block_in_place(|| self.redis.fail_over_to(&self.replica));
                core::mem::swap(&mut self.redis, &mut self.replica);
                // For a moment the address still points to the old primary.
                sleep(Duration::from_millis(300)).await;
                self.proxy.set_target(self.redis.address());
                self.harm.failovers += 1;
            }
            Fault::Silence => {
                self.proxy.hold();
                sleep(Duration::from_secs(4)).await;
                // Redis now gets requests that nobody waits for.
                self.proxy.resume();
                self.harm.silences += 1;
            }
            Fault::KilledReceiver => self.kill_receiver().await,
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

/// The result of all deliveries.
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
        // Of each delivery, who handled it, and the result of the commit that followed.
        let mut handled = BTreeMap::<&str, Vec<(&str, Option<&str>)>>::new();
        for line in log.lines() {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["success", pid, id] => handled.entry(id).or_default().push((pid, None)),
                ["commit", pid, id, result] => {
                    let mut successes = handled.entry(id).or_default().iter_mut();
                    let committed = successes.rfind(|(by, result)| by == pid && result.is_none());
                    *committed.map(|(_, result)| result).expect("a success") = Some(result);
                }
                _ => panic!("a log of another kind: {line}"),
            }
        }
        report.handled = handled.len();
        for successes in handled.values() {
            // All but the last one should have been the last one.
            let Some((_, earlier)) = successes.split_last() else {
                continue;
            };
            report.handled_once += usize::from(earlier.is_empty());
            for (pid, commit) in earlier {
                let killed = pid.parse().is_ok_and(|pid| harm.killed.contains(&pid));
                match commit {
                    Some("done") => report.again_for_no_reason += 1,
                    None if killed => report.again_after_kill += 1,
                    None | Some("failed") if harm.includes_redis() => {
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
        println!("  handled again because");
        println!(
            "    killed before the commit      {}",
            self.again_after_kill
        );
        println!(
            "    no reply to the commit        {}",
            self.again_after_failed_commit
        );
        println!(
            "    anything else                 {}",
            self.again_for_no_reason
        );
        println!("  claims left          {}", self.in_flight);
        println!("  lost                 {}", self.lost());
        println!("  receivers killed     {}", harm.killed.len());
        println!("  Redis stopped        {}", harm.redis_stops);
        println!("  Redis failed over    {}", harm.failovers);
        println!("  Redis went silent    {}", harm.silences);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(deliveries: &[Vec<Attempt>], killed: &[u32], log: &str) -> Report {
        let harm = Harm {
            killed: killed.iter().copied().collect(),
            ..Harm::default()
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
    fn tells_one_that_the_same_receiver_handles_after_a_failed_commit() {
        let harm = Harm {
            silences: 1,
            ..Harm::default()
        };
        let log = "success 1 a\ncommit 1 a failed\nsuccess 1 a\ncommit 1 a done\n";
        let report = Report::new(&[vec![Some(200)]], &harm, 0, log);
        assert_eq!(report.again_after_failed_commit, 1);
        assert!(report.is_sound());
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

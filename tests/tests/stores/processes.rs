//! Several processes with the same store.

use std::{
    env,
    io::{BufRead, BufReader, Write, stdin},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use scrupp_verify_core::dedup::{Claim, DeliveryStore};

use crate::{LEASE, RETENTION, model::id_of, suite::Shape, token};

/// A kind of store that several processes can share.
pub(crate) trait Shared: Shape {
    /// Returns the address of the store for another process.
    fn address(&self) -> String;

    async fn connect(address: &str) -> Self::Store;
}

const ADDRESS: &str = "SCRUPP_STORE_ADDRESS";
const NUMBER: &str = "SCRUPP_STORE_WORKER";
const DELIVERIES: u64 = 100;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Asserts that each delivery is granted to exactly one process, with two and with four processes.
/// The processes run the test `worker` of this program.
pub(crate) async fn grant_each_delivery_once<S: Shared>(worker: &str) {
    let shape = S::start().await;
    for count in [2, 4_u8] {
        let mut workers: Vec<_> = (0..count)
            .map(|number| {
                Command::new(env::current_exe().unwrap())
                    .args(["--exact", worker, "--ignored", "--nocapture"])
                    .env(ADDRESS, shape.address())
                    .env(NUMBER, (count + number).to_string())
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let said = |worker: &mut Child| BufReader::new(worker.stdout.take().unwrap()).lines();
        let mut said: Vec<_> = workers.iter_mut().map(said).collect();
        for said in &mut said {
            assert!(said.any(|line| line.unwrap() == "ready"));
        }
        for worker in &mut workers {
            let batch = u64::from(count).to_string() + "\n";
            let mut input = worker.stdin.take().unwrap();
            input.write_all(batch.as_bytes()).unwrap();
        }
        let mut granted: Vec<u64> = said
            .into_iter()
            .flatten()
            .filter_map(|line| line.unwrap().strip_prefix("granted ")?.parse().ok())
            .collect();
        granted.sort_unstable();
        assert_eq!(granted, (0..DELIVERIES).collect::<Vec<_>>());
        for mut worker in workers {
            assert!(worker.wait().unwrap().success());
        }
    }
}

/// Claims each delivery of a batch, and acknowledges every second one that was granted. Repeats a
/// claim until the store responds.
pub(crate) async fn work<S: Shared>() {
    let Ok(address) = env::var(ADDRESS) else {
        return;
    };
    let token = token(env::var(NUMBER).unwrap().parse().unwrap());
    let store = S::connect(&address).await;
    println!("\nready");
    let mut batch = String::new();
    stdin().read_line(&mut batch).unwrap();
    let batch = batch.trim().parse::<u64>().unwrap() * DELIVERIES;
    let begin = Instant::now();
    for number in 0..DELIVERIES {
        let id = id_of(batch + number);
        let claim = loop {
            match store.claim(id, token, LEASE).await {
                Ok(claim) => break claim,
                Err(error) => assert!(begin.elapsed() < TIMEOUT, "{error:?}"),
            }
        };
        if claim == Claim::Granted {
            println!("\ngranted {number}");
            if number % 2 == 0 {
                let _ = store.commit(id, token, RETENTION).await;
            }
        }
    }
}

//! Simulates an outage of an hour and the hours after it, in virtual time.
//!
//! A stand-in for Scrupp sends deliveries to the tower layer at a steady rate. It retries each
//! delivery with backoff until the delivery is acknowledged. The argument is the rate per second.
//! The handlers share a database that can handle one and a half times the rate.

#![expect(clippy::indexing_slicing, reason = "a simulation may panic")]

use core::{convert::Infallible, fmt, time::Duration};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
    future::pending,
    process,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::Full;
use scrupp_verify_tests::SECRET;
use scrupp_verify_tower::{
    Dedup, ScruppVerify, Secret, Signer, Tolerance, UnixTime,
    dedup::{Claim, ClaimToken, DeliveryId, DeliveryStore, MemoryStore},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until, timeout},
};
use tower::{Layer, ServiceExt, service_fn};

/// Time that the sender waits for a response.
const SENDER_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest pause between two attempts. The first pause is a second, and each following one is twice
/// as long.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Time that a handler uses the database.
const WORK: Duration = Duration::from_millis(50);

const LEASE: Duration = Duration::from_secs(60);

/// Time before the outage.
const BEFORE: Duration = Duration::from_secs(60);

fn main() {
    let argument = std::env::args().nth(1).map(|rate| rate.parse());
    let per_second = match argument {
        Some(Ok(rate)) if rate > 0 && rate % 40 == 0 => rate,
        _ => {
            eprintln!("usage: backlog RATE (deliveries a second, a multiple of 40)");
            process::exit(2);
        }
    };
    println!("{}", Outcome::HEADER);
    let mut is_sound = true;
    for (outage, wait, retry_after) in plans() {
        let plan = Plan {
            per_second,
            lasts: Duration::from_secs(3600),
            outage,
            wait,
            retry_after,
        };
        let outcome = simulate(&plan);
        println!("{outcome}");
        is_sound &= outcome.drained.is_some() == plan.should_drain();
    }
    process::exit(i32::from(!is_sound));
}

/// Returns the plans. The first three have different outages, and their handlers wait at most a
/// second for the database. In the last two, handlers hang: in one, the sender ignores
/// `Retry-After`, and in the other, handlers wait for the database longer than the sender waits for
/// a response.
fn plans() -> [(Outage, Duration, bool); 5] {
    let bounded = Duration::from_secs(1);
    [
        (Outage::Killed, bounded, true),
        (Outage::NoStore, bounded, true),
        (Outage::HandlersHang, bounded, true),
        (Outage::HandlersHang, bounded, false),
        (Outage::HandlersHang, SENDER_TIMEOUT * 2, true),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// The process is killed. Its claims stay, and no connection is possible.
    Killed,
    /// The store cannot be reached, so each delivery is rejected with 503.
    NoStore,
    /// The handlers hang until the sender gives up.
    HandlersHang,
}

struct Plan {
    per_second: u32,
    lasts: Duration,
    outage: Outage,
    /// Time that a handler waits for the database before it responds with 503.
    wait: Duration,
    /// True if the sender waits at least as long as `Retry-After` says.
    retry_after: bool,
}

impl Plan {
    fn capacity(&self) -> f64 {
        1.5 * f64::from(self.per_second)
    }

    fn should_drain(&self) -> bool {
        self.wait < SENDER_TIMEOUT
    }
}

/// The result of a plan.
struct Outcome {
    outage: Outage,
    wait: Duration,
    retry_after: bool,
    /// Number of deliveries that were not acknowledged when the outage ended.
    backlog: u64,
    /// Largest number of attempts in one second after the outage.
    peak: u64,
    /// Acknowledgements until the backlog was gone, divided by the capacity of the database.
    used: f64,
    /// Time after the outage until no unacknowledged delivery was older than a minute.
    drained: Option<Duration>,
    handled_twice: u64,
}

impl Outcome {
    const HEADER: &str = "| outage | handlers wait | `Retry-After` | backlog | most attempts in a second | capacity used for acknowledgements | drained after | handled twice |
|---|---|---|---:|---:|---:|---:|---:|";
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outage = match self.outage {
            Outage::Killed => "process killed",
            Outage::NoStore => "store unreachable",
            Outage::HandlersHang => "handlers hang",
        };
        let wait = self.wait.as_secs();
        let retry_after = if self.retry_after {
            "honored"
        } else {
            "ignored"
        };
        let (backlog, peak, used) = (self.backlog, self.peak, self.used * 100.0);
        let drained = match self.drained {
            Some(after) => format!("{} min", after.as_secs().div_ceil(60)),
            None => "never".to_owned(),
        };
        write!(
            f,
            "| {outage} | {wait} s | {retry_after} | {backlog} | {peak} | {used:.0} % | {drained} | {} |",
            self.handled_twice
        )
    }
}

/// The sender's deliveries and their attempts.
#[derive(Default)]
struct Sender {
    /// Time of each delivery's next attempt, and the number of the delivery.
    upcoming: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Number of attempts at each delivery, or `None` once it is acknowledged.
    deliveries: Vec<Option<u8>>,
    attempts: u64,
    acknowledged: u64,
    /// Number of the oldest delivery that may be unacknowledged.
    oldest: u64,
}

fn simulate(plan: &Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(run(plan))
}

async fn run(plan: &Plan) -> Outcome {
    const TICK: Duration = Duration::from_millis(50);
    /// Time after which a backlog counts as never drained.
    const WAIT_LIMIT: Duration = Duration::from_secs(4 * 3600);

    let start = Instant::now();
    let (down, up) = (start + BEFORE, start + BEFORE + plan.lasts);
    let receiver = Arc::new(Receiver {
        outage: plan.outage,
        is_down: AtomicBool::new(false),
        database: Semaphore::new((plan.capacity() * WORK.as_secs_f64()) as usize),
        wait: plan.wait,
        handled: Mutex::default(),
    });
    let service = layer(&receiver, start).layer(service_fn({
        let receiver = Arc::clone(&receiver);
        move |request: Request<_>| {
            let receiver = Arc::clone(&receiver);
            let number = request.extensions().get::<u64>().copied();
            async move {
                let status = receiver.handle(number.unwrap_or_default()).await;
                let mut response = Response::new(Full::new(Bytes::new()));
                *response.status_mut() = status;
                Ok::<_, Infallible>(response)
            }
        }
    }));
    let sender = Arc::new(Mutex::new(Sender::default()));
    let signer = Signer::new(&Secret::new(SECRET).expect("a secret"));

    let mut outcome = Outcome {
        outage: plan.outage,
        wait: plan.wait,
        retry_after: plan.retry_after,
        backlog: 0,
        peak: 0,
        used: 0.0,
        drained: None,
        handled_twice: 0,
    };
    let (mut attempts_before, mut acknowledged_at_end) = (0, 0);
    for tick in 1.. {
        let now = start + TICK * tick;
        sleep_until(now).await;
        receiver.is_down.store((down..up).contains(&now), Relaxed);
        let created = u64::from(plan.per_second) * u64::from(tick) / 20;
        let due = lock(&sender).due(now, created);
        for number in due {
            if plan.outage == Outage::Killed && receiver.is_down.load(Relaxed) {
                lock(&sender).record_attempt(number, None::<&Response<()>>, plan.retry_after);
                continue;
            }
            let (service, sender) = (service.clone(), Arc::clone(&sender));
            let (request, honors) = (request(&signer, number, start), plan.retry_after);
            tokio::spawn(async move {
                let response = timeout(SENDER_TIMEOUT, service.oneshot(request)).await;
                let response = response.ok().and_then(Result::ok);
                lock(&sender).record_attempt(number, response.as_ref(), honors);
            });
        }
        if tick % 20 != 0 || now < up {
            continue;
        }
        // Once a second after the outage.
        let mut sender = lock(&sender);
        if now == up {
            outcome.backlog = sender.deliveries.len() as u64 - sender.acknowledged;
            acknowledged_at_end = sender.acknowledged;
        } else {
            outcome.peak = outcome.peak.max(sender.attempts - attempts_before);
        }
        attempts_before = sender.attempts;
        let seconds = (now - up).as_secs_f64();
        outcome.used =
            (sender.acknowledged - acknowledged_at_end) as f64 / (seconds * plan.capacity());
        if sender.since_oldest() <= 60 * u64::from(plan.per_second) {
            outcome.drained = Some(now - up);
        }
        if outcome.drained.is_some() || now - up > WAIT_LIMIT {
            outcome.handled_twice = lock(&receiver.handled).1;
            return outcome;
        }
    }
    outcome
}

impl Sender {
    /// Creates deliveries up to this number. Returns those whose next attempt is due.
    fn due(&mut self, now: Instant, created: u64) -> Vec<u64> {
        for number in self.deliveries.len() as u64..created {
            self.deliveries.push(Some(0));
            self.upcoming.push(Reverse((now, number)));
        }
        let mut due = Vec::new();
        while let Some(Reverse((time, number))) = self.upcoming.peek().copied()
            && time <= now
        {
            self.upcoming.pop();
            due.push(number);
        }
        self.attempts += due.len() as u64;
        due
    }

    /// Returns the number of deliveries that were created since the oldest unacknowledged one.
    fn since_oldest(&mut self) -> u64 {
        let is_open = |number: &u64| self.deliveries[*number as usize].is_some();
        let created = self.deliveries.len() as u64;
        self.oldest = (self.oldest..created).find(is_open).unwrap_or(created);
        created - self.oldest
    }

    /// Records the result of an attempt, and schedules the next one.
    fn record_attempt<B>(&mut self, number: u64, response: Option<&Response<B>>, honors: bool) {
        let Some(attempts) = &mut self.deliveries[number as usize] else {
            return;
        };
        if response.is_some_and(|response| response.status().is_success()) {
            self.deliveries[number as usize] = None;
            self.acknowledged += 1;
            return;
        }
        let pause = LONGEST_PAUSE.min(Duration::from_secs(1 << (*attempts).min(10)));
        let pause = pause.mul_f64(0.5 + fastrand::f64());
        *attempts = attempts.saturating_add(1);
        let asked = response.and_then(|response| response.headers().get(RETRY_AFTER));
        let asked = asked.and_then(|asked| asked.to_str().ok()?.parse().ok());
        let asked = Duration::from_secs(asked.filter(|_| honors).unwrap_or(0));
        let next = Instant::now() + pause.max(asked);
        self.upcoming.push(Reverse((next, number)));
    }
}

fn request(signer: &Signer, number: u64, start: Instant) -> Request<Full<Bytes>> {
    let event =
        format!(r#"{{"event":"task.completed","process_id":{number},"status":"completed"}}"#);
    let signed = signer.sign(time(start), event.as_bytes());
    Request::post("/")
        .extension(number)
        .header("X-Scrupp-Timestamp", signed.timestamp())
        .header("X-Scrupp-Signature", signed.signature())
        .body(Full::new(Bytes::from(event)))
        .expect("a request")
}

fn time(start: Instant) -> UnixTime {
    UnixTime::from_secs(1_735_471_800 + start.elapsed().as_secs())
}

/// The service behind the layer.
struct Receiver {
    outage: Outage,
    is_down: AtomicBool,
    database: Semaphore,
    wait: Duration,
    /// Deliveries that were handled, and the number of times that one was handled again.
    handled: Mutex<(HashSet<u64>, u64)>,
}

impl Receiver {
    async fn handle(&self, number: u64) -> StatusCode {
        if self.outage == Outage::HandlersHang && self.is_down.load(Relaxed) {
            pending::<()>().await;
        }
        let Ok(Ok(_permit)) = timeout(self.wait, self.database.acquire()).await else {
            return StatusCode::SERVICE_UNAVAILABLE;
        };
        sleep(WORK).await;
        let (handled, twice) = &mut *lock(&self.handled);
        *twice += u64::from(!handled.insert(number));
        StatusCode::OK
    }
}

fn layer(receiver: &Arc<Receiver>, start: Instant) -> ScruppVerify {
    // Longer than a delivery can be replayed. A day would take too much memory.
    let retention = Duration::from_secs(600);
    let store = Store {
        claims: MemoryStore::new(1 << 24).clock(move || Some(time(start))),
        receiver: Arc::clone(receiver),
    };
    let dedup = Dedup::new(store)
        .lease(LEASE)
        .retention(retention, Tolerance::default())
        .expect("longer than the window");
    ScruppVerify::new(Secret::new(SECRET).expect("a secret"))
        .clock(move || Some(time(start)))
        .dedup(dedup)
}

/// A store that cannot be reached during the outage.
struct Store {
    claims: MemoryStore,
    receiver: Arc<Receiver>,
}

#[derive(Debug)]
struct Unreachable;

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store cannot be reached")
    }
}

impl core::error::Error for Unreachable {}

impl Store {
    fn reach(&self) -> Result<&MemoryStore, Unreachable> {
        let is_cut = self.receiver.outage != Outage::HandlersHang;
        match is_cut && self.receiver.is_down.load(Relaxed) {
            true => Err(Unreachable),
            false => Ok(&self.claims),
        }
    }
}

impl DeliveryStore for Store {
    type Error = Unreachable;

    async fn claim(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        lease: Duration,
    ) -> Result<Claim, Unreachable> {
        let claim = self.reach()?.claim(id, token, lease).await;
        claim.map_err(|_| Unreachable)
    }

    async fn commit(
        &self,
        id: DeliveryId,
        token: ClaimToken,
        retention: Duration,
    ) -> Result<bool, Unreachable> {
        let committed = self.reach()?.commit(id, token, retention).await;
        committed.map_err(|_| Unreachable)
    }

    async fn release(&self, id: DeliveryId, token: ClaimToken) -> Result<(), Unreachable> {
        let released = self.reach()?.release(id, token).await;
        released.map_err(|_| Unreachable)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates an outage of a minute, and panics if the backlog does not drain or a delivery is
    /// handled twice.
    fn check(outage: Outage) {
        let outcome = simulate(&Plan {
            per_second: 40,
            lasts: Duration::from_secs(60),
            outage,
            wait: Duration::from_secs(1),
            retry_after: true,
        });
        assert!(outcome.backlog >= 2_200, "{outcome}");
        // The database can handle 1.5 times the rate, so the backlog drains in twice the time of
        // the outage.
        let drained = outcome.drained.map(|after| after.as_secs());
        assert!(drained.is_some_and(|after| after < 8 * 60), "{outcome}");
        assert_eq!(outcome.handled_twice, 0, "{outcome}");
    }

    #[test]
    fn backlog_drains_after_process_is_killed() {
        check(Outage::Killed);
    }

    #[test]
    fn backlog_drains_after_store_is_unreachable() {
        check(Outage::NoStore);
    }

    #[test]
    fn backlog_drains_after_handlers_hang() {
        check(Outage::HandlersHang);
    }
}

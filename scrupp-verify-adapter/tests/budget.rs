//! The budget for unverified bodies, body limits and deadlines.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};
use std::sync::Arc;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use scrupp_verify_adapter::{Budget, Config};
use scrupp_verify_core::{RejectionKind, Secret, Signer, UnixTime};
use tokio::{
    sync::{Barrier, mpsc},
    task::JoinHandle,
    time::{Instant, sleep},
};

type Settings = Arc<Config<(), ()>>;

const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);
const KIB: usize = 1024;

fn settings(budget: usize) -> Config<(), ()> {
    let mut config = Config::new(Secret::new("topsecret").unwrap(), ());
    config.clock = Arc::new(|| Some(NOW));
    config.buffer_budget = Budget::new(budget);
    config
}

/// Returns the number of bytes that are not reserved.
fn available(config: &Config<(), ()>) -> usize {
    config.buffer_budget.available_bytes()
}

async fn receive(config: &Config<(), ()>, content: &[u8], mut body: Arriving) -> Outcome {
    let signer = Signer::new(&Secret::new("topsecret").unwrap());
    let headers = signer.sign(NOW, content);
    match config.receive(&headers, &(), None, &mut body).await {
        Ok(accepted) => {
            assert_eq!(accepted.unwrap().delivery.into_body(), content);
            Ok(())
        }
        Err(rejected) => Err(rejected.rejection.kind()),
    }
}

type Outcome = Result<(), RejectionKind>;

/// A delivery whose body the test sends in chunks.
struct Upload {
    body: Bytes,
    sent: usize,
    sender: mpsc::Sender<Bytes>,
    outcome: JoinHandle<Outcome>,
}

/// A body that arrives through a channel, with or without a declared length.
struct Arriving {
    chunks: mpsc::Receiver<Bytes>,
    remaining: Option<u64>,
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = ready!(self.chunks.poll_recv(cx));
        if let (Some(chunk), Some(remaining)) = (&chunk, &mut self.remaining) {
            *remaining -= chunk.len() as u64;
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Upload {
    fn start(config: &Settings, bytes: usize) -> Self {
        Self::start_with(config, bytes, None)
    }

    fn start_declared(config: &Settings, bytes: usize) -> Self {
        Self::start_with(config, bytes, Some(bytes as u64))
    }

    fn start_with(config: &Settings, bytes: usize, remaining: Option<u64>) -> Self {
        let (sender, chunks) = mpsc::channel(8);
        let body = Bytes::from(vec![b'x'; bytes]);
        let (config, content) = (Arc::clone(config), body.clone());
        let arriving = Arriving { chunks, remaining };
        Self {
            body,
            sent: 0,
            sender,
            outcome: tokio::spawn(async move { receive(&config, &content, arriving).await }),
        }
    }

    async fn send(&mut self, bytes: usize) {
        let chunk = self.body.slice(self.sent..self.sent + bytes);
        self.sent += bytes;
        self.sender.send(chunk).await.unwrap();
        settle().await;
    }

    async fn end(self) -> Outcome {
        drop(self.sender);
        self.outcome.await.unwrap()
    }
}

/// Runs all other tasks until they wait.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// Each body exceeds half of the budget, and all bodies need more at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deliveries_never_wait_for_each_other() {
    for (budget, bytes) in [(1000, 700), (60 * KIB, 40 * KIB), (KIB, 40 * KIB)] {
        for _ in 0..100 {
            let config = Arc::new(settings(budget));
            let barrier = Arc::new(Barrier::new(3));
            let deliveries = [(); 3].map(|()| {
                let upload = Upload::start(&config, bytes);
                let barrier = Arc::clone(&barrier);
                tokio::spawn(async move {
                    let mut second = upload.body.clone();
                    let first = second.split_to(bytes / 2);
                    upload.sender.send(first).await.unwrap();
                    barrier.wait().await;
                    upload.sender.send(second).await.unwrap();
                    upload.end().await
                })
            });
            let started = Instant::now();
            for delivery in deliveries {
                assert_eq!(delivery.await.unwrap(), Ok(()), "{bytes} of {budget}");
            }
            assert!(started.elapsed() < Duration::from_secs(5));
            assert_eq!(available(&config), budget);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn first_16_kib_need_no_reservation_and_small_bodies_never_wait() {
    let config = Arc::new(settings(64 * KIB));
    let mut slow = Upload::start(&config, 64 * KIB);
    slow.send(16 * KIB).await;
    assert_eq!(available(&config), 64 * KIB);
    slow.send(1).await;
    assert_eq!(available(&config), 0);

    let started = Instant::now();
    for chunks in [1, 4] {
        let mut small = Upload::start(&config, 16 * KIB);
        for _ in 0..chunks {
            small.send(16 * KIB / chunks).await;
        }
        assert_eq!(small.end().await, Ok(()));
    }
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn waiting_body_continues_once_the_budget_is_available() {
    let config = Arc::new(settings(256 * KIB));
    let mut first = Upload::start(&config, 100 * KIB);
    first.send(50 * KIB).await;
    let mut second = Upload::start(&config, 100 * KIB);
    second.send(50 * KIB).await;
    second.send(50 * KIB).await;
    assert!(!second.outcome.is_finished());

    let started = Instant::now();
    first.send(50 * KIB).await;
    assert_eq!(first.end().await, Ok(()));
    assert_eq!(second.end().await, Ok(()));
    assert!(started.elapsed() < Duration::from_secs(1));
}

/// Returns the same settings with another body timeout.
fn with_timeout(config: &Settings, timeout: Duration) -> Settings {
    let mut config = Config::clone(config);
    config.body_timeout = timeout;
    Arc::new(config)
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_budget_ends_at_the_deadline_with_over_budget() {
    let config = Arc::new(settings(64 * KIB));
    let mut slow = Upload::start(&with_timeout(&config, Duration::from_secs(60)), 64 * KIB);
    slow.send(20 * KIB).await;

    let started = Instant::now();
    let mut waiting = Upload::start(&with_timeout(&config, Duration::from_secs(7)), 64 * KIB);
    waiting.send(20 * KIB).await;
    let outcome = waiting.outcome.await.unwrap();
    assert_eq!(outcome, Err(RejectionKind::OverBudget));
    assert_eq!(started.elapsed().as_secs(), 7);

    // The delivery with a reservation waits for its client.
    let outcome = slow.outcome.await.unwrap();
    assert_eq!(outcome, Err(RejectionKind::BodyTimeout));
}

#[tokio::test(start_paused = true)]
async fn rejected_dropped_and_verified_deliveries_release_their_reservation() {
    let config = Arc::new(settings(40 * KIB));
    for _ in 0..3 {
        let mut cut_short = Upload::start(&config, 40 * KIB);
        cut_short.send(30 * KIB).await;
        assert_eq!(available(&config), 0);
        let outcome = cut_short.end().await;
        assert_eq!(outcome, Err(RejectionKind::SignatureMismatch));
        assert_eq!(available(&config), 40 * KIB);

        let mut dropped = Upload::start(&config, 40 * KIB);
        dropped.send(30 * KIB).await;
        dropped.outcome.abort();
        settle().await;
        assert_eq!(available(&config), 40 * KIB);

        let mut genuine = Upload::start(&config, 40 * KIB);
        genuine.send(20 * KIB).await;
        genuine.send(20 * KIB).await;
        assert_eq!(genuine.end().await, Ok(()));
        assert_eq!(available(&config), 40 * KIB);
    }
}

#[tokio::test(start_paused = true)]
async fn body_that_exceeds_the_whole_budget_is_received_alone() {
    for budget in [0, 1, 10 * KIB] {
        let config = Arc::new(settings(budget));
        let mut large = Upload::start(&config, 100 * KIB);
        large.send(50 * KIB).await;
        let mut other = Upload::start(&config, 100 * KIB);
        other.send(50 * KIB).await;
        other.send(50 * KIB).await;
        assert!(!other.outcome.is_finished(), "{budget}");
        large.send(50 * KIB).await;
        assert_eq!(large.end().await, Ok(()), "{budget}");
        assert_eq!(other.end().await, Ok(()), "{budget}");
    }
    // More than a semaphore can count.
    assert_eq!(available(&settings(usize::MAX)), usize::MAX >> 3);
}

#[tokio::test(start_paused = true)]
async fn body_reserves_its_declared_length_or_the_body_limit() {
    let config = Arc::new(settings(1024 * KIB));
    let mut undeclared = Upload::start(&config, 100 * KIB);
    undeclared.send(20 * KIB).await;
    assert_eq!(available(&config), (1024 - 256) * KIB);

    let mut declared = Upload::start_declared(&config, 100 * KIB);
    declared.send(10 * KIB).await;
    declared.send(10 * KIB).await;
    assert_eq!(available(&config), (1024 - 256 - 100) * KIB);
    declared.send(80 * KIB).await;
    assert_eq!(declared.end().await, Ok(()));
}

/// A chunk may be a small part of a large read buffer, which the chunk would keep alive.
#[tokio::test]
async fn keeps_no_chunk_while_waiting_for_the_next_one() {
    struct ReadBuffer(Arc<AtomicBool>);
    impl AsRef<[u8]> for ReadBuffer {
        fn as_ref(&self) -> &[u8] {
            b"{"
        }
    }
    impl Drop for ReadBuffer {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let config = Arc::new(settings(KIB));
    let upload = Upload::start(&config, KIB);
    let is_dropped = Arc::new(AtomicBool::new(false));
    let chunk = Bytes::from_owner(ReadBuffer(Arc::clone(&is_dropped)));
    upload.sender.send(chunk).await.unwrap();
    settle().await;
    assert!(is_dropped.load(Ordering::Relaxed));
    assert!(!upload.outcome.is_finished());
}

#[tokio::test]
async fn body_in_one_chunk_is_not_copied() {
    let config = settings(KIB);
    let body = Bytes::from(vec![b'x'; 256 * KIB]);
    let headers = Signer::new(&Secret::new("topsecret").unwrap()).sign(NOW, &body);
    let received = config
        .receive(&headers, &(), None, &mut Full::new(body.clone()))
        .await;
    let accepted = received.unwrap().unwrap();
    assert_eq!(accepted.delivery.body().as_ptr(), body.as_ptr());
}

#[tokio::test]
async fn receives_body_without_a_declared_length_with_any_limit() {
    for limit in [64 * KIB, 1 << 40, usize::MAX] {
        let mut config = settings(64 * KIB);
        config.policy.body_limit = limit;
        let config = Arc::new(config);
        let mut upload = Upload::start(&config, 64 * KIB);
        for _ in 0..16 {
            upload.send(4 * KIB).await;
        }
        assert_eq!(upload.end().await, Ok(()), "{limit}");
        assert_eq!(available(&config), 64 * KIB);
    }
}

#[tokio::test(start_paused = true)]
async fn extreme_timeouts_do_not_panic() {
    for timeout in [Duration::ZERO, Duration::MAX] {
        let mut config = settings(KIB);
        config.body_timeout = timeout;
        let headers = Signer::new(&Secret::new("topsecret").unwrap()).sign(NOW, b"{}");
        let mut body = Full::new(Bytes::from("{}"));
        let received = config.receive(&headers, &(), None, &mut body).await;
        assert!(received.unwrap().is_some(), "{timeout:?}");
    }
}

#[tokio::test]
async fn yields_to_other_tasks_after_each_64_kib_of_hashing() {
    for (bytes, expected) in [
        (64 * KIB, 1),
        (64 * KIB + 1, 3),
        (128 * KIB, 3),
        (256 * KIB, 5),
    ] {
        let config = settings(KIB);
        let content = Bytes::from(vec![b'x'; bytes]);
        let headers = Signer::new(&Secret::new("topsecret").unwrap()).sign(NOW, &content);
        let mut body = Full::new(content);
        let mut receive = pin!(config.receive(&headers, &(), None, &mut body));
        let mut polls = 0;
        let received = poll_fn(|cx| {
            polls += 1;
            receive.as_mut().poll(cx)
        });
        assert!(received.await.unwrap().is_some());
        assert_eq!(polls, expected, "{bytes} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn drains_body_that_exceeds_the_limit_until_its_deadline() {
    let mut config = settings(KIB);
    config.policy.body_limit = 10;
    let (sender, chunks) = mpsc::channel(1);
    let mut body = Arriving {
        chunks,
        remaining: None,
    };
    let headers = Signer::new(&Secret::new("topsecret").unwrap()).sign(NOW, b"");
    let started = Instant::now();
    let client = tokio::spawn(async move {
        sleep(Duration::from_secs(6)).await;
        sender.send(Bytes::from_static(&[0; 11])).await.unwrap();
        // The end is never sent.
        sender.closed().await;
    });

    let rejected = config
        .receive(&headers, &(), None, &mut body)
        .await
        .unwrap_err();
    assert_eq!(rejected.rejection.kind(), RejectionKind::BodyTooLarge);
    assert_eq!(started.elapsed(), Duration::from_secs(6));
    config.drain(rejected, body).unwrap().await;
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    client.await.unwrap();
}

#[test]
fn default_budget_is_64_mib() {
    let config = Config::<(), ()>::new(Secret::new("topsecret").unwrap(), ());
    assert_eq!(available(&config), 67_108_864);
}

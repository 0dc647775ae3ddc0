//! How much of bodies that are not verified is held at once, over all connections.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use core::{
    convert::Infallible,
    future::ready,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{
    Empty,
    channel::{Channel, Sender},
};
use scrupp_verify_tower::{
    Rejection, RejectionKind, ScruppVerify, Secret, Signer, UnixTime, VerifiedBody,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower::{Layer, Service, ServiceExt, service_fn};

const NOW: u64 = 1_735_471_800;
const BODY: [u8; 1000] = [b'x'; 1000];

/// A delivery of 1,000 bytes, which come as the test goes.
struct UnderWay {
    feed: Sender<Bytes>,
    answer: JoinHandle<Result<(), Rejection>>,
}

impl UnderWay {
    fn start(layer: &ScruppVerify) -> Self {
        let handler = |_: Request<VerifiedBody>| {
            ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
        };
        Self::start_with(layer, service_fn(handler))
    }

    fn start_with<S>(layer: &ScruppVerify, handler: S) -> Self
    where
        S: Service<
                Request<VerifiedBody>,
                Response = Response<Empty<Bytes>>,
                Error = Infallible,
                Future: Send,
            > + Clone
            + Send
            + 'static,
    {
        let (feed, body) = Channel::<Bytes>::new(8);
        let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), &BODY);
        let mut request = Request::post("/");
        for (name, value) in headers.pairs() {
            request = request.header(name, value);
        }
        let request = request.body(body).unwrap();
        let answer = layer.layer(handler).oneshot(request);
        let answer = async {
            let response = answer.await.unwrap();
            let rejection = response.extensions().get::<Rejection>().copied();
            rejection.map_or(Ok(()), Err)
        };
        Self {
            feed,
            answer: tokio::spawn(answer),
        }
    }

    async fn feed(&mut self, bytes: usize) {
        self.feed
            .send_data(Bytes::from_static(&BODY[..bytes]))
            .await
            .unwrap();
        settle().await;
    }

    async fn answer(self) -> Result<(), RejectionKind> {
        drop(self.feed);
        self.answer
            .await
            .unwrap()
            .map_err(|rejection| rejection.kind())
    }
}

/// How many bytes are counted, as the layer shows itself.
fn held(layer: &ScruppVerify) -> usize {
    let shown = format!("{layer:?}");
    let (_, after) = shown.split_once("held: ").unwrap();
    after.split(',').next().unwrap().parse().unwrap()
}

/// Lets every task go as far as it can.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

fn layer(budget: usize) -> ScruppVerify {
    ScruppVerify::new(secret())
        .clock(|| Some(UnixTime::from_secs(NOW)))
        .buffer_budget(budget)
}

#[tokio::test(start_paused = true)]
async fn receives_no_more_while_the_budget_is_held_and_goes_on_when_it_is_free() {
    let layer = layer(1500);
    let mut first = UnderWay::start(&layer);
    first.feed(999).await;
    let mut second = UnderWay::start(&layer);
    second.feed(999).await;
    // Another clone shares the budget; it is only asked for once there is room.
    let mut third = UnderWay::start(&layer.clone());
    third.feed(1000).await;
    second.feed(1).await;
    assert!(!third.answer.is_finished());
    assert!(!second.answer.is_finished());

    let freed = Instant::now();
    first.feed(1).await;
    assert_eq!(first.answer().await, Ok(()));
    assert_eq!(second.answer().await, Ok(()));
    assert_eq!(third.answer().await, Ok(()));
    assert!(
        freed.elapsed() < Duration::from_secs(1),
        "woken by the deadline only"
    );
}

#[tokio::test(start_paused = true)]
async fn refuses_what_finds_no_room_in_time() {
    let layer = layer(500).body_timeout(Duration::from_secs(7));
    let mut stalling = UnderWay::start(&layer.clone().body_timeout(Duration::from_secs(60)));
    // As much as there is.
    stalling.feed(500).await;
    let started = Instant::now();
    let mut waiting = UnderWay::start(&layer);
    waiting.feed(1000).await;
    assert_eq!(waiting.answer().await, Err(RejectionKind::OverBudget));
    assert_eq!(started.elapsed().as_secs(), 7);
    assert_eq!(Rejection::new(RejectionKind::OverBudget).status(), 503);
}

#[tokio::test(start_paused = true)]
async fn gives_back_what_a_refused_or_dropped_delivery_held() {
    let layer = layer(500);
    for _ in 0..10 {
        let mut forged = UnderWay::start(&layer);
        forged.feed(700).await;
        assert_eq!(forged.answer().await, Err(RejectionKind::SignatureMismatch));
        let mut dropped = UnderWay::start(&layer);
        dropped.feed(700).await;
        dropped.answer.abort();
        settle().await;
    }
    let mut genuine = UnderWay::start(&layer);
    genuine.feed(1000).await;
    assert_eq!(genuine.answer().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn counts_all_that_has_come_each_time_that_it_waits_for_more() {
    let layer = layer(10_000);
    let mut delivery = UnderWay::start(&layer);
    assert_eq!(held(&layer), 0);
    delivery.feed(100).await;
    assert_eq!(held(&layer), 100);
    delivery.feed(400).await;
    assert_eq!(held(&layer), 500);
    delivery.answer.abort();
    settle().await;
    assert_eq!(held(&layer), 0);
}

#[tokio::test(start_paused = true)]
async fn holds_nothing_any_more_while_the_service_is_called() {
    let layer = layer(10_000);
    let seen = Arc::new(AtomicUsize::new(usize::MAX));
    let handler = {
        let (layer, seen) = (layer.clone(), Arc::clone(&seen));
        service_fn(move |_: Request<VerifiedBody>| {
            seen.store(held(&layer), Ordering::Relaxed);
            ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
        })
    };
    let mut delivery = UnderWay::start_with(&layer, handler);
    delivery.feed(900).await;
    assert_eq!(held(&layer), 900);
    delivery.feed(100).await;
    assert_eq!(delivery.answer().await, Ok(()));
    assert_eq!(seen.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn waits_for_no_room_for_a_body_that_is_at_its_end() {
    let layer = layer(500);
    let mut stalling = UnderWay::start(&layer);
    stalling.feed(500).await;
    let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), b"");
    let mut request = Request::post("/");
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    let handler = service_fn(|_: Request<VerifiedBody>| {
        ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    });
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let started = Instant::now();
    let response = layer.layer(handler).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn lets_a_body_through_alone_that_is_larger_than_the_budget() {
    let mut large = UnderWay::start(&layer(100));
    for _ in 0..10 {
        large.feed(100).await;
    }
    assert_eq!(large.answer().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn wakes_all_that_there_is_room_for() {
    let layer = layer(900);
    let mut large = UnderWay::start(&layer);
    large.feed(950).await;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut delivery = UnderWay::start(&layer);
        delivery.feed(100).await;
        waiting.push(delivery);
    }
    // What is free now is enough for the first pieces of all that wait, who then wait for more.
    let freed = Instant::now();
    large.answer.abort();
    settle().await;
    // The last one first: nobody before it gives anything back.
    for mut delivery in waiting.into_iter().rev() {
        delivery.feed(900).await;
        assert_eq!(delivery.answer().await, Ok(()));
    }
    assert!(
        freed.elapsed() < Duration::from_secs(1),
        "woken by the deadline only"
    );
}

#[test]
fn is_64_mib_by_default() {
    let default = format!("{:?}", ScruppVerify::new(secret()));
    assert!(default.contains("limit: 67108864"), "{default}");
}

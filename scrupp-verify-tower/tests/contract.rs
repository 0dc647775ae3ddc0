//! What the layer owes the service inside, the server outside, and a body that misbehaves.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{
    convert::Infallible,
    future::ready,
    pin::{Pin, pin},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes, buf::Chain};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use scrupp_verify_tower::{
    Account, Dedup, Rejection, RejectionKind, ScruppVerify, Secret, Signer, Tolerance, UnixTime,
    Verified, VerifiedBody, dedup::MemoryStore,
};
use tokio::time::{Instant, advance, timeout};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const NOW: u64 = 1_735_471_800;
const EVENT: &[u8] = br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

fn layer() -> ScruppVerify {
    ScruppVerify::new(secret()).clock(|| Some(UnixTime::from_secs(NOW)))
}

fn signed<B>(body: B, content: &[u8]) -> Request<B> {
    let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), content);
    let mut request = Request::post("/webhooks/scrupp");
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    request.body(body).unwrap()
}

fn genuine(content: &'static [u8]) -> Request<Full<Bytes>> {
    signed(Full::new(Bytes::from_static(content)), content)
}

type Seen = Arc<Mutex<Vec<Request<Bytes>>>>;

/// A handler that keeps what it gets.
fn keeps(
    seen: &Seen,
) -> impl Service<
    Request<VerifiedBody>,
    Response = Response<Empty<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone
+ use<> {
    let seen = Arc::clone(seen);
    service_fn(move |request: Request<VerifiedBody>| {
        let request = request.map(VerifiedBody::into_bytes);
        seen.lock().unwrap().push(request);
        ready(Ok(Response::new(Empty::new())))
    })
}

/// A handler that must not be called.
fn never() -> impl Service<
    Request<VerifiedBody>,
    Response = Response<Empty<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone {
    service_fn(|_| async { panic!("the handler was called") })
}

fn kind<B>(response: &Response<B>) -> RejectionKind {
    response.extensions().get::<Rejection>().unwrap().kind()
}

/// A body of frames and pauses, which counts how often it is asked.
struct Scripted {
    script: Vec<Turn>,
    polls: Arc<AtomicUsize>,
    knows_its_length: bool,
}

enum Turn {
    Data(&'static [u8]),
    Trailers,
    Error,
    /// Nothing, and no wake-up either.
    Stall,
    /// The same frame for ever.
    Endless(&'static [u8]),
}

impl Scripted {
    fn new(script: impl IntoIterator<Item = Turn>) -> Self {
        let mut script: Vec<_> = script.into_iter().collect();
        script.reverse();
        Self {
            script,
            polls: Arc::default(),
            knows_its_length: false,
        }
    }

    fn of_known_length(script: impl IntoIterator<Item = Turn>) -> Self {
        Self {
            knows_its_length: true,
            ..Self::new(script)
        }
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        let data = |bytes| Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(bytes)))));
        match self.script.pop() {
            None => Poll::Ready(None),
            Some(Turn::Data(bytes)) => data(bytes),
            Some(Turn::Trailers) => Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new())))),
            Some(Turn::Error) => Poll::Ready(Some(Err("reset"))),
            Some(Turn::Stall) => {
                self.script.push(Turn::Stall);
                Poll::Pending
            }
            Some(Turn::Endless(bytes)) => {
                self.script.push(Turn::Endless(bytes));
                data(bytes)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.knows_its_length && self.script.is_empty()
    }
}

#[tokio::test]
async fn hands_on_the_request_with_the_proof_and_the_very_bytes() {
    let seen = Seen::default();
    let body = Bytes::from(EVENT.to_vec());
    let request = signed(Full::new(body.clone()), EVENT);
    let response = layer().layer(keeps(&seen)).oneshot(request).await.unwrap();

    assert_eq!(response.status(), StatusCode::OK);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].body().as_ptr(), body.as_ptr(), "not a copy");
    assert_eq!(seen[0].uri().path(), "/webhooks/scrupp");
    let verified = seen[0].extensions().get::<Verified>().unwrap();
    assert_eq!(verified.time(), UnixTime::from_secs(NOW));
    assert_eq!(verified.secret_index(), 0);
}

#[tokio::test]
async fn puts_pieces_of_any_size_together() {
    let pieces = EVENT.chunks(7).map(Turn::Data);
    let with_empty = pieces.flat_map(|piece| [Turn::Data(b""), piece]);
    let body = Scripted::new(with_empty.chain([Turn::Trailers]));
    let seen = Seen::default();
    let response = layer()
        .layer(keeps(&seen))
        .oneshot(signed(body, EVENT))
        .await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(seen.lock().unwrap()[0].body(), EVENT);
}

#[tokio::test(start_paused = true)]
async fn takes_more_pieces_than_it_reads_at_once_without_waiting_in_between() {
    let pieces = EVENT
        .chunks(1)
        .flat_map(|piece| [Turn::Data(piece), Turn::Data(b"")]);
    let body = Scripted::new(pieces);
    assert!(body.script.len() > 100);
    let started = Instant::now();
    let answer = layer()
        .layer(keeps(&Seen::default()))
        .oneshot(signed(body, EVENT));
    assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn refuses_a_first_piece_over_the_limit_whatever_comes_behind_it() {
    for behind in [Turn::Error, Turn::Data(b"."), Turn::Trailers] {
        let body = Scripted::new([Turn::Data(EVENT), behind]);
        let layer = layer().body_limit(EVENT.len() - 1).layer(never());
        let response = layer.oneshot(signed(body, EVENT)).await.unwrap();
        assert_eq!(kind(&response), RejectionKind::BodyTooLarge);
    }
}

#[tokio::test(start_paused = true)]
async fn reads_nothing_more_of_a_body_whose_time_is_over() {
    let stalling = || Scripted::new([Turn::Stall]);
    let mut context = Context::from_waker(Waker::noop());

    let body = stalling();
    let polls = Arc::clone(&body.polls);
    let mut answer = pin!(layer().layer(never()).oneshot(signed(body, EVENT)));
    while polls.load(Ordering::Relaxed) < 2 {
        assert!(answer.as_mut().poll(&mut context).is_pending());
    }
    advance(Duration::from_secs(11)).await;
    let Poll::Ready(Ok(response)) = answer.poll(&mut context) else {
        panic!("not answered")
    };
    assert_eq!(kind(&response), RejectionKind::BodyTimeout);
    assert_eq!(polls.load(Ordering::Relaxed), 2);

    let rest = stalling();
    let polls = Arc::clone(&rest.polls);
    let unsigned = Request::post("/").body(rest).unwrap();
    let response = layer().layer(never()).oneshot(unsigned).await.unwrap();
    let mut problem = pin!(response.into_body());
    while polls.load(Ordering::Relaxed) < 2 {
        assert!(problem.as_mut().poll_frame(&mut context).is_pending());
    }
    advance(Duration::from_secs(11)).await;
    assert!(problem.poll_frame(&mut context).is_ready());
    assert_eq!(polls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn takes_data_that_is_not_in_one_piece() {
    type Parts = Chain<&'static [u8], &'static [u8]>;
    let parts: Parts = EVENT[..20].chain(&EVENT[20..]);
    let body = Full::new(parts);
    let seen = Seen::default();
    let response = layer()
        .layer(keeps(&seen))
        .oneshot(signed(body, EVENT))
        .await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(seen.lock().unwrap()[0].body(), EVENT);
}

#[tokio::test]
async fn does_not_ask_for_the_body_before_a_bad_head_is_answered() {
    let body = Scripted::new([Turn::Data(EVENT), Turn::Data(EVENT)]);
    let polls = Arc::clone(&body.polls);
    let request = Request::post("/").body(body).unwrap();
    let response = layer().layer(never()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(polls.load(Ordering::Relaxed), 0);

    // Behind the head of the response, what is on its way is read.
    response.into_body().collect().await.unwrap();
    assert_eq!(polls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn does_not_ask_on_when_a_body_is_known_to_be_at_its_end() {
    let (start, end) = EVENT.split_at(20);
    let pieces = || Scripted::of_known_length([Turn::Data(start), Turn::Data(end)]);

    let genuine = pieces();
    let polls = Arc::clone(&genuine.polls);
    let seen = Seen::default();
    let answer = layer().layer(keeps(&seen)).oneshot(signed(genuine, EVENT));
    assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    assert_eq!(seen.lock().unwrap()[0].body(), EVENT);
    assert_eq!(polls.load(Ordering::Relaxed), 2);

    let unsigned = pieces();
    let polls = Arc::clone(&unsigned.polls);
    let request = Request::post("/").body(unsigned).unwrap();
    let response = layer().layer(never()).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(polls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn never_asks_for_a_body_that_waits_to_be_asked_for() {
    let body = Scripted::new([Turn::Stall]);
    let polls = Arc::clone(&body.polls);
    let request = Request::post("/")
        .header("expect", "100-continue")
        .body(body)
        .unwrap();
    let response = layer().layer(never()).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(polls.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn reads_on_behind_a_refusal_no_further_than_the_limit_and_no_longer_than_the_time() {
    let endless = Scripted::new([Turn::Endless(&[0; 1000])]);
    let polls = Arc::clone(&endless.polls);
    let request = Request::post("/").body(endless).unwrap();
    let layer = layer()
        .body_limit(10_000)
        .body_timeout(Duration::from_secs(7));
    let response = layer.layer(never()).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(polls.load(Ordering::Relaxed), 11);

    let stalled = Request::post("/")
        .body(Scripted::new([Turn::Stall]))
        .unwrap();
    let response = layer.layer(never()).oneshot(stalled).await.unwrap();
    let started = Instant::now();
    response.into_body().collect().await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn ends_a_body_that_stalls_trickles_or_never_says_anything() {
    type Script = fn() -> Vec<Turn>;
    let scripts: [(&str, Script); 3] = [
        ("stalls", || vec![Turn::Data(b"{"), Turn::Stall]),
        ("never comes", || vec![Turn::Stall]),
        ("is empty for ever", || vec![Turn::Endless(b"")]),
    ];
    for (label, script) in scripts {
        let started = Instant::now();
        let request = signed(Scripted::new(script()), EVENT);
        let service = layer().body_timeout(Duration::from_secs(3)).layer(never());
        // Time goes on by itself only while every task waits; one that never does, takes real time.
        let advancing = async {
            let response = pin!(service.oneshot(request));
            let mut response = response;
            loop {
                tokio::select! {
                    biased;
                    response = &mut response => break response,
                    () = tokio::task::yield_now() => tokio::time::advance(Duration::from_millis(100)).await,
                }
            }
        };
        let response = advancing.await.unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT, "{label}");
        assert_eq!(kind(&response), RejectionKind::BodyTimeout, "{label}");
        assert!(started.elapsed() < Duration::from_secs(5), "{label}");
    }
}

#[tokio::test]
async fn refuses_what_breaks_off_and_what_ends_early() {
    for (script, expected) in [
        (
            vec![Turn::Data(EVENT), Turn::Error],
            RejectionKind::BodyBroken,
        ),
        (vec![Turn::Error], RejectionKind::BodyBroken),
        (
            vec![Turn::Data(&EVENT[..10])],
            RejectionKind::SignatureMismatch,
        ),
        (vec![], RejectionKind::SignatureMismatch),
        (
            vec![Turn::Data(&EVENT[..10]), Turn::Trailers],
            RejectionKind::SignatureMismatch,
        ),
    ] {
        let request = signed(Scripted::new(script), EVENT);
        let response = layer().layer(never()).oneshot(request).await.unwrap();
        assert_eq!(kind(&response), expected);
    }
}

#[tokio::test]
async fn counts_what_comes_and_not_what_is_declared() {
    let mut request = signed(Scripted::new([Turn::Endless(b"0123456789")]), EVENT);
    request.headers_mut().insert("content-length", 5.into());
    let response = layer()
        .body_limit(100)
        .layer(never())
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn calls_the_service_that_was_made_ready_and_not_its_clone() {
    /// Panics when it is called without having been made ready, as it may.
    struct Strict {
        is_ready: bool,
    }
    impl Clone for Strict {
        fn clone(&self) -> Self {
            Self { is_ready: false }
        }
    }
    impl Service<Request<VerifiedBody>> for Strict {
        type Response = Response<Empty<Bytes>>;
        type Error = Infallible;
        type Future = core::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.is_ready = true;
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _request: Request<VerifiedBody>) -> Self::Future {
            assert!(self.is_ready, "called without having been made ready");
            self.is_ready = false;
            ready(Ok(Response::new(Empty::new())))
        }
    }
    let mut service = layer().layer(Strict { is_ready: false });
    for _ in 0..3 {
        let ready = ServiceExt::<Request<Full<Bytes>>>::ready(&mut service);
        let response = ready.await.unwrap().call(genuine(EVENT)).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn waits_until_the_service_is_ready_and_calls_it_only_after_the_verdict() {
    let (service, mut handle) =
        tower_test::mock::spawn_layer::<Request<VerifiedBody>, Response<Empty<Bytes>>, _>(layer());
    let mut service = service;
    handle.allow(0);
    assert!(service.poll_ready::<Request<Scripted>>().is_pending());
    handle.allow(1);
    assert!(service.poll_ready::<Request<Scripted>>().is_ready());

    let stalls = signed(Scripted::new([Turn::Data(EVENT), Turn::Stall]), EVENT);
    let response = service.call(stalls);
    assert!(timeout(Duration::from_millis(50), response).await.is_err());
    assert!(
        handle.poll_request().is_pending(),
        "called without a verdict"
    );
}

#[tokio::test]
async fn passes_the_error_of_the_service_on() {
    #[derive(Debug, PartialEq)]
    struct Own;
    let fails = service_fn(async |_: Request<VerifiedBody>| Err::<Response<Empty<Bytes>>, _>(Own));
    let answer = layer().layer(fails).oneshot(genuine(EVENT)).await;
    assert_eq!(answer.unwrap_err(), Own);
}

#[tokio::test]
async fn accepts_nothing_without_a_clock() {
    let layer = ScruppVerify::new(secret()).clock(|| None);
    let response = layer.layer(never()).oneshot(genuine(EVENT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(kind(&response), RejectionKind::ClockUnavailable);
}

#[tokio::test]
async fn looks_secrets_up_for_each_request_and_shows_no_stranger_which_there_are() {
    let layer = ScruppVerify::with_secrets(|head| {
        let found = match head.uri.path() {
            "/known" => Ok(Some(Account::new("known", secret()))),
            "/broken" => Err("no connection"),
            _ => Ok(None),
        };
        ready(found)
    })
    .clock(|| Some(UnixTime::from_secs(NOW)));
    let answer = async |path: &'static str, content: &'static [u8]| {
        let mut request = signed(Full::new(Bytes::from_static(content)), EVENT);
        *request.uri_mut() = path.parse().unwrap();
        let response = layer
            .layer(keeps(&Seen::default()))
            .oneshot(request)
            .await
            .unwrap();
        let reason = response
            .extensions()
            .get::<Rejection>()
            .map(Rejection::kind);
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (reason, (parts.status, parts.headers, body))
    };
    let (reason, _) = answer("/known", EVENT).await;
    assert_eq!(reason, None);
    let (reason, wrong) = answer("/known", b"forged").await;
    assert_eq!(reason, Some(RejectionKind::SignatureMismatch));
    let (reason, unknown) = answer("/unknown", EVENT).await;
    assert_eq!(reason, Some(RejectionKind::UnknownAccount));
    assert_eq!(wrong, unknown, "the same to a stranger");
    let (reason, (status, ..)) = answer("/broken", EVENT).await;
    assert_eq!(reason, Some(RejectionKind::SecretsUnavailable));
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn does_not_look_up_the_secrets_of_a_request_with_a_bad_head() {
    let layer =
        ScruppVerify::with_secrets(|_| async { panic!("looked up") as Result<_, Infallible> });
    let request = Request::post("/").body(Empty::<Bytes>::new()).unwrap();
    let response = layer.layer(never()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn answers_a_rejection_as_it_is_told_to_but_decides_itself() {
    let layer = layer().on_rejection(|rejection| {
        let mut response = Response::new(rejection.kind().as_str());
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        response
    });
    let request = Request::post("/").body(Empty::<Bytes>::new()).unwrap();
    let response = layer.layer(never()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(kind(&response), RejectionKind::MissingSignature);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "missing_signature");
}

#[tokio::test]
async fn handles_a_delivery_once_and_until_it_has_succeeded() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&calls);
    let fails_at_first = service_fn(move |_: Request<VerifiedBody>| {
        let mut response = Response::new(Empty::<Bytes>::new());
        if counts.fetch_add(1, Ordering::Relaxed) == 0 {
            *response.status_mut() = StatusCode::BAD_REQUEST;
        }
        ready(Ok::<_, Infallible>(response))
    });
    let service = layer().dedup(MemoryStore::default()).layer(fails_at_first);
    for (expected, calls_after) in [(400, 1), (200, 2), (200, 2), (200, 2)] {
        let response = service.clone().oneshot(genuine(EVENT)).await.unwrap();
        assert_eq!(response.status(), expected);
        assert_eq!(calls.load(Ordering::Relaxed), calls_after);
    }
}

#[tokio::test]
async fn remembers_a_delivery_until_the_last_second_that_its_timestamp_is_accepted() {
    let now = Arc::new(AtomicU64::new(NOW - 60));
    let clock = {
        let now = Arc::clone(&now);
        move || Some(UnixTime::from_secs(now.load(Ordering::Relaxed)))
    };
    // The least that is allowed, and a window that grew wider afterwards.
    let least = Duration::from_secs(360);
    for (past, window) in [(300, 360), (1000, 1060)] {
        let store = MemoryStore::default().clock(clock.clone());
        let dedup = Dedup::new(store).retention(least, Tolerance::default());
        let layer = ScruppVerify::new(secret())
            .clock(clock.clone())
            .tolerance(Tolerance::new(
                Duration::from_secs(past),
                Duration::from_secs(60),
            ))
            .dedup(dedup.unwrap());
        let seen = Seen::default();
        let service = layer.layer(keeps(&seen));

        now.store(NOW - 60, Ordering::Relaxed);
        let handled = service.clone().oneshot(genuine(EVENT)).await.unwrap();
        assert_eq!(handled.status(), StatusCode::OK);
        now.store(NOW - 60 + window, Ordering::Relaxed);
        let replayed = service.clone().oneshot(genuine(EVENT)).await.unwrap();
        assert_eq!(replayed.status(), StatusCode::OK, "{past}");
        assert_eq!(seen.lock().unwrap().len(), 1, "{past}");
        now.store(NOW - 60 + window + 1, Ordering::Relaxed);
        let too_late = service.oneshot(genuine(EVENT)).await.unwrap();
        assert_eq!(kind(&too_late), RejectionKind::TooOld, "{past}");
    }
}

#[tokio::test]
async fn judges_the_time_once_when_the_head_comes() {
    let asked = Arc::new(AtomicU64::new(0));
    let clock = {
        let asked = Arc::clone(&asked);
        // Leaps by years, back and ahead, whenever it is asked again.
        move || match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Some(UnixTime::from_secs(NOW)),
            1 => Some(UnixTime::from_secs(1)),
            _ => Some(UnixTime::from_secs(u64::MAX)),
        }
    };
    let seen = Seen::default();
    let service = layer().clock(clock).layer(keeps(&seen));
    let pieces = Scripted::new(EVENT.chunks(5).map(Turn::Data));
    let response = service
        .clone()
        .oneshot(signed(pieces, EVENT))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    for expected in [RejectionKind::InFuture, RejectionKind::TooOld] {
        let response = service.clone().oneshot(genuine(EVENT)).await.unwrap();
        assert_eq!(kind(&response), expected);
    }
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn lets_a_retry_through_after_a_hang_up_a_panic_and_an_error() {
    let turn = AtomicUsize::new(0);
    let turn = Arc::new(turn);
    let misbehaves = {
        let turn = Arc::clone(&turn);
        service_fn(move |_: Request<VerifiedBody>| {
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            async move {
                match turn {
                    0 => core::future::pending().await,
                    1 => panic!("the handler panics"),
                    2 => Err("the handler fails"),
                    _ => Ok(Response::new(Empty::<Bytes>::new())),
                }
            }
        })
    };
    let service = layer().dedup(MemoryStore::default()).layer(misbehaves);

    let hung_up = service.clone().oneshot(genuine(EVENT));
    assert!(timeout(Duration::from_millis(20), hung_up).await.is_err());
    let panicked = tokio::spawn(service.clone().oneshot(genuine(EVENT))).await;
    assert!(panicked.unwrap_err().is_panic());
    assert!(service.clone().oneshot(genuine(EVENT)).await.is_err());
    let response = service.clone().oneshot(genuine(EVENT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(turn.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn tells_a_second_attempt_to_come_again_while_the_first_is_handled() {
    let waits = service_fn(|_: Request<VerifiedBody>| {
        core::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>()
    });
    let service = layer().dedup(MemoryStore::default()).layer(waits);
    let first = tokio::spawn(service.clone().oneshot(genuine(EVENT)));
    tokio::task::yield_now().await;
    let second = service.oneshot(genuine(EVENT)).await.unwrap();
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(kind(&second), RejectionKind::InFlight);
    assert!(second.headers().contains_key("retry-after"));
    first.abort();
}

#[tokio::test]
async fn never_lets_a_delivery_through_when_the_store_is_full_and_never_asks_it_about_a_forgery() {
    let seen = Seen::default();
    let service = layer().dedup(MemoryStore::new(1)).layer(keeps(&seen));
    let forged = signed(Full::new(Bytes::from_static(b"forged")), EVENT);
    let response = service.clone().oneshot(forged).await.unwrap();
    assert_eq!(kind(&response), RejectionKind::SignatureMismatch);

    assert_eq!(
        service
            .clone()
            .oneshot(genuine(EVENT))
            .await
            .unwrap()
            .status(),
        StatusCode::OK
    );
    let response = service.oneshot(genuine(b"another")).await.unwrap();
    assert_eq!(kind(&response), RejectionKind::StoreUnavailable);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn fits_wherever_axum_takes_a_layer() {
    use axum::{Router, routing::post};

    let _router: Router = Router::new().route("/", post(|| async {})).layer(layer());
    let _route: Router = Router::new().route("/", post(|| async {}).layer(layer()));
    let stack = ServiceBuilder::new().layer(layer());
    let _stack: Router = Router::new().route("/", post(|| async {})).layer(stack);
}

#[test]
fn sends_its_future_where_the_service_can_be_sent() {
    fn is_send<T: Send>(_: &T) {}
    let mut service = layer().layer(never());
    is_send(&service);
    is_send(&service.call(genuine(EVENT)));
}

//! Sends arbitrary bodies to the layer. The layer must respond in time with few polls, and the inner service must get
//! only signed bytes.
//!
//! The input is one byte of choices, and a script with one byte per step of the body:
//!
//! - `e`: an error
//! - `t`: trailers
//! - `x`: the end
//! - `n`: an empty chunk
//! - `p`: a pending poll with an immediate wake-up
//! - `s`: a stall that never ends
//! - `w`: a wait of 3 s
//! - any other byte: the length of a chunk, followed by its bytes
#![no_main]

use core::{
    convert::Infallible,
    future::ready,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use scrupp_verify_tower::{
    Rejection, RejectionKind, ScruppVerify, Secret, Signer, UnixTime, Verified, VerifiedBody,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, Sleep, sleep},
};
use tower::{Layer, ServiceExt, service_fn};

const NOW: UnixTime = UnixTime::from_secs(1_735_471_800);
const BODY_LIMIT: usize = 300;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_secs(3);

thread_local! {
    /// The paused clock advances only while every task waits.
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, script)) = input.split_first() else {
        return;
    };
    let turns = turns(script);
    let (content, end) = outcome(&turns);
    let is_tampered = choice & 1 == 1;
    let has_head = choice & 6 != 6;

    let mut signed = content.clone();
    if is_tampered {
        signed.push(b' ');
    }
    let expected = match end {
        _ if !has_head => Err(RejectionKind::MissingSignature),
        Ok(()) if is_tampered => Err(RejectionKind::SignatureMismatch),
        end => end,
    };
    RUNTIME.with(|runtime| runtime.block_on(deliver(turns, &signed, has_head, &content, expected)));
});

async fn deliver(
    turns: VecDeque<Turn>,
    signed: &[u8],
    has_head: bool,
    content: &[u8],
    expected: Result<(), RejectionKind>,
) {
    let secret = Secret::new("topsecret").unwrap();
    let head = Signer::new(&secret).sign(NOW, signed);
    let mut request = Request::post("/webhooks/scrupp");
    for (name, value) in head.pairs().into_iter().filter(|_| has_head) {
        request = request.header(name, value);
    }
    let most_polls = 2 * turns.len() + 4;
    let polls = Arc::new(Mutex::new(0));
    let request = request
        .body(Scripted::new(turns, Arc::clone(&polls)))
        .unwrap();

    let seen = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let seen = Arc::clone(&seen);
        service_fn(move |request: Request<VerifiedBody>| {
            assert!(request.extensions().get::<Verified>().is_some());
            seen.lock().unwrap().push(request.into_body().into_bytes());
            ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
        })
    };
    let layer = ScruppVerify::new(secret)
        .clock(|| Some(NOW))
        .body_limit(BODY_LIMIT)
        .body_timeout(BODY_TIMEOUT);
    let started = Instant::now();
    let Ok(response) = layer.layer(handler).oneshot(request).await;
    if !has_head {
        assert_eq!(
            *polls.lock().unwrap(),
            0,
            "the body is read before the head is checked"
        );
    }
    let rejection = response.extensions().get::<Rejection>();
    let verdict = rejection.map_or(Ok(()), |rejection| Err(rejection.kind()));
    assert_eq!(verdict, expected);
    let status = rejection.map_or(200, Rejection::status);
    assert_eq!(response.status().as_u16(), status);
    match verdict {
        Ok(()) => assert_eq!(*seen.lock().unwrap(), [content]),
        Err(_) => assert!(
            seen.lock().unwrap().is_empty(),
            "the service is called for a rejected delivery"
        ),
    }

    let Ok(_) = response.into_body().collect().await;
    assert!(
        *polls.lock().unwrap() <= most_polls,
        "{} polls of the body",
        polls.lock().unwrap()
    );
    assert!(started.elapsed() <= BODY_TIMEOUT + Duration::from_millis(10));
}

enum Turn {
    Data(Bytes),
    Trailers,
    Error,
    End,
    Pause,
    Stall,
    Wait,
}

fn turns(mut script: &[u8]) -> VecDeque<Turn> {
    let mut turns = VecDeque::new();
    while let Some((turn, rest)) = script.split_first() {
        script = rest;
        turns.push_back(match turn {
            b'e' => Turn::Error,
            b't' => Turn::Trailers,
            b'x' => Turn::End,
            b'n' => Turn::Data(Bytes::new()),
            b'p' => Turn::Pause,
            b's' => Turn::Stall,
            b'w' => Turn::Wait,
            length => {
                let (chunk, rest) = script.split_at(script.len().min((*length).into()));
                script = rest;
                Turn::Data(Bytes::copy_from_slice(chunk))
            }
        });
    }
    turns
}

/// Returns the bytes of a body, and the expected verdict if they are signed.
fn outcome(turns: &VecDeque<Turn>) -> (Vec<u8>, Result<(), RejectionKind>) {
    let mut content = Vec::new();
    let mut waited = Duration::ZERO;
    for turn in turns {
        match turn {
            Turn::Data(chunk) => content.extend_from_slice(chunk),
            Turn::Error => return (content, Err(RejectionKind::BodyBroken)),
            Turn::Stall => return (content, Err(RejectionKind::BodyTimeout)),
            Turn::Trailers | Turn::End => break,
            Turn::Pause => {}
            Turn::Wait => waited += WAIT,
        }
        if content.len() > BODY_LIMIT {
            return (content, Err(RejectionKind::BodyTooLarge));
        }
        if waited > BODY_TIMEOUT {
            return (content, Err(RejectionKind::BodyTimeout));
        }
    }
    (content, Ok(()))
}

struct Scripted {
    turns: VecDeque<Turn>,
    polls: Arc<Mutex<usize>>,
    waiting: Option<Pin<Box<Sleep>>>,
    is_complete: bool,
}

impl Scripted {
    fn new(turns: VecDeque<Turn>, polls: Arc<Mutex<usize>>) -> Self {
        Self {
            turns,
            polls,
            waiting: None,
            is_complete: false,
        }
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        assert!(!self.is_complete, "polled after the end");
        *self.polls.lock().unwrap() += 1;
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            match self.turns.pop_front() {
                Some(Turn::Data(chunk)) => return Poll::Ready(Some(Ok(Frame::data(chunk)))),
                Some(Turn::Trailers) => {
                    self.is_complete = true;
                    return Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new()))));
                }
                Some(Turn::Error) => {
                    self.is_complete = true;
                    return Poll::Ready(Some(Err("reset")));
                }
                Some(Turn::End) | None => {
                    self.is_complete = true;
                    return Poll::Ready(None);
                }
                Some(Turn::Pause) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Turn::Stall) => {
                    self.turns.push_front(Turn::Stall);
                    return Poll::Pending;
                }
                Some(Turn::Wait) => self.waiting = Some(Box::pin(sleep(WAIT))),
            }
        }
    }
}

//! Scripted requests, and their responses.

use core::{
    fmt,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use scrupp_verify_core::{
    Rejection, RejectionKind, Secret, Signer, UnixTime, Verified, VerifiedDelivery, dedup::Claimed,
};
use tokio::{
    pin, select,
    task::yield_now,
    time::{Sleep, advance, sleep},
};

pub(crate) const NOW: u64 = 1_735_471_800;
pub(crate) const PATH: &str = "/webhooks/scrupp";
pub(crate) const EVENT: &[u8] =
    br#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;

pub(crate) fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

/// The `ScruppVerify` of an adapter, around a handler.
pub(crate) trait Middleware {
    /// Sends a request through the adapter.
    ///
    /// # Errors
    ///
    /// Returns [`Failed`] if the handler returns it.
    async fn deliver<H, F>(&self, request: TestRequest, handler: H) -> Result<TestResponse, Failed>
    where
        H: Fn(Received) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static;

    /// Sends a request through the adapter, and panics unless the handler runs.
    async fn accept(&self, request: TestRequest) -> Received {
        let received = Arc::new(Mutex::new(None));
        let handler = {
            let received = Arc::clone(&received);
            move |request| {
                *received.lock().unwrap() = Some(request);
                async { Ok(200) }
            }
        };
        let response = self.deliver(request, handler).await.unwrap();
        assert_eq!((response.status, response.kind), (200, None));
        assert!(!response.is_duplicate);
        received.lock().unwrap().take().unwrap()
    }

    /// Sends a request through the adapter, and panics if the handler runs.
    async fn reject(&self, request: TestRequest) -> TestResponse {
        let handler = |_| async { panic!("the handler was called") as Outcome };
        self.deliver(request, handler).await.unwrap()
    }
}

/// A delivery as the handler gets it.
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) body: Bytes,
    pub(crate) verified: Verified,
    pub(crate) delivery: VerifiedDelivery<Bytes>,
    pub(crate) claimed: Option<Claimed>,
}

/// The status of a handler's response, or its failure.
pub(crate) type Outcome = Result<u16, Failed>;

/// A handler's error in place of a response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Failed;

pub(crate) struct TestRequest {
    pub(crate) path: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: ScriptedBody,
}

/// Creates an unsigned request without a body.
pub(crate) fn unsigned() -> TestRequest {
    TestRequest {
        path: PATH,
        headers: Vec::new(),
        body: ScriptedBody::default(),
    }
}

/// Creates a request without a body, signed for this content.
pub(crate) fn signed(content: &[u8]) -> TestRequest {
    let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), content);
    let add = |request: TestRequest, (name, value)| request.header(name, value);
    headers.pairs().into_iter().fold(unsigned(), add)
}

/// Creates a genuine delivery with a declared length and one chunk.
pub(crate) fn genuine(content: &'static [u8]) -> TestRequest {
    signed(content)
        .length(content.len())
        .body([Turn::Data(content)])
}

impl TestRequest {
    pub(crate) fn path(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Declares the length in the headers and in the size hint of the body.
    pub(crate) fn length(mut self, bytes: usize) -> Self {
        self.body.remaining = Some(bytes);
        self.header("content-length", &bytes.to_string())
    }

    pub(crate) fn body(mut self, script: impl IntoIterator<Item = Turn>) -> Self {
        self.body.script = script.into_iter().collect();
        self
    }

    pub(crate) fn polls(&self) -> Polls {
        Polls(Arc::clone(&self.body.polls))
    }
}

/// The number of times that a body was polled.
pub(crate) struct Polls(Arc<AtomicUsize>);

impl Polls {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn is_body_dropped(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// A body that follows a script.
#[derive(Default)]
pub(crate) struct ScriptedBody {
    script: VecDeque<Turn>,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Declared bytes that have not arrived yet.
    remaining: Option<usize>,
    polls: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
pub(crate) enum Turn {
    Data(&'static [u8]),
    Trailers,
    Error,
    /// Waits for this time before the next turn.
    Wait(Duration),
    /// Stays pending without a wake-up.
    Stall,
    /// Repeats the same chunk forever.
    Endless(&'static [u8]),
}

#[derive(Debug)]
pub(crate) struct ConnectionReset;

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = ConnectionReset;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionReset>>> {
        let polls = self.polls.fetch_add(1, Ordering::Relaxed);
        assert!(polls < 100_000, "the body is polled too often");
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            let Some(turn) = self.script.pop_front() else {
                return Poll::Ready(None);
            };
            if matches!(turn, Turn::Stall | Turn::Endless(_)) {
                self.script.push_front(turn);
            }
            match turn {
                Turn::Data(chunk) | Turn::Endless(chunk) => {
                    let remaining = self.remaining;
                    self.remaining = remaining.map(|bytes| bytes.saturating_sub(chunk.len()));
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(chunk)))));
                }
                Turn::Trailers => {
                    return Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new()))));
                }
                Turn::Error => return Poll::Ready(Some(Err(ConnectionReset))),
                Turn::Wait(time) => self.waiting = Some(Box::pin(sleep(time))),
                Turn::Stall => return Poll::Pending,
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        let remaining = self.remaining.map(|bytes| bytes as u64);
        remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A response whose body has not been polled yet.
pub(crate) struct TestResponse {
    pub(crate) status: u16,
    /// Headers, sorted by name.
    pub(crate) headers: Vec<(String, String)>,
    /// Reason for the rejection, from the response's extensions.
    pub(crate) kind: Option<RejectionKind>,
    /// True if the response's extensions contain `Duplicate`.
    pub(crate) is_duplicate: bool,
    /// Drains the request if necessary, and returns the response's body.
    pub(crate) body: Pin<Box<dyn Future<Output = Bytes>>>,
}

/// A complete response.
#[derive(Debug, PartialEq)]
pub(crate) struct Collected {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) kind: Option<RejectionKind>,
    pub(crate) body: Bytes,
}

impl TestResponse {
    pub(crate) async fn collect(self) -> Collected {
        Collected {
            status: self.status,
            headers: self.headers,
            kind: self.kind,
            body: self.body.await,
        }
    }
}

impl fmt::Debug for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.status, self.kind)
    }
}

/// Returns the default response to a rejection.
pub(crate) fn problem(kind: RejectionKind) -> Collected {
    let rejection = Rejection::new(kind);
    let headers = rejection.headers().iter();
    let mut headers: Vec<_> = headers
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    headers.sort();
    Collected {
        status: rejection.status(),
        headers,
        kind: Some(kind),
        body: rejection.problem().into(),
    }
}

/// Runs a future while the clock advances, even if the future never waits.
pub(crate) async fn while_time_passes<T>(future: impl Future<Output = T>) -> T {
    pin!(future);
    loop {
        select! {
            biased;
            output = &mut future => return output,
            () = yield_now() => advance(Duration::from_millis(100)).await,
        }
    }
}

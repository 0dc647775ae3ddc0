//! Time for which a large body blocks the other tasks of the executor.

use core::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use std::{collections::VecDeque, convert::Infallible, time::Instant};

use bytes::Bytes;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use scrupp_verify_benches::{
    delivery::{self, http_headers, sign},
    service::{Handler, finish, request},
};
use scrupp_verify_tower::ScruppVerify;
use tokio::runtime::Builder;
use tower::{Layer, Service};

use crate::{figure::Figure, load::Result, rounds::median};

const BODY: usize = 1024 * 1024;

pub(crate) fn figures(count: u32) -> Result<Vec<Figure>> {
    // A body that is not read in one poll needs a timer.
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    let figures = [("one_chunk", BODY), ("chunks_of_16_kib", 16 * 1024)]
        .into_iter()
        .map(|(chunks, chunk_bytes)| {
            let longest = (0..count).map(|_| longest_poll(chunk_bytes).as_secs_f64());
            let name = format!("longest_poll_of_1_mib_in_{chunks}_microseconds");
            Figure::reported(name, median(longest.collect()) * 1e6)
        });
    Ok(figures.collect())
}

fn longest_poll(chunk_bytes: usize) -> Duration {
    let body = Bytes::from(delivery::body(BODY));
    let headers = http_headers(&sign(&body), BODY);
    let mut chunks = Chunks::default();
    for start in (0..BODY).step_by(chunk_bytes) {
        chunks
            .0
            .push_back(body.slice(start..BODY.min(start + chunk_bytes)));
    }
    let layer = ScruppVerify::new(delivery::secret()).body_limit(BODY);
    let (response, longest) = finish(Timed {
        future: layer.layer(Handler).call(request(&headers, chunks)),
        longest: Duration::ZERO,
    });
    assert!(response.is_ok_and(|response| response.status().is_success()));
    longest
}

/// Body whose chunks are all available.
#[derive(Default)]
struct Chunks(VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<core::result::Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

pin_project! {
    /// Future that measures its longest poll.
    struct Timed<F> {
        #[pin]
        future: F,
        longest: Duration,
    }
}

impl<F: Future> Future for Timed<F> {
    type Output = (F::Output, Duration);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let start = Instant::now();
        let polled = this.future.poll(cx);
        *this.longest = start.elapsed().max(*this.longest);
        polled.map(|output| (output, *this.longest))
    }
}

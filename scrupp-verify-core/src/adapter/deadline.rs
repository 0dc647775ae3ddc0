use alloc::boxed::Box;
use core::{
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

/// When a body has to be read.
#[derive(Debug)]
pub(super) struct Deadline {
    timeout: Duration,
    has_waited: bool,
    // In a box, since most bodies are there at once and need none.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub(super) const fn after(timeout: Duration) -> Self {
        Self {
            timeout,
            has_waited: false,
            timer: None,
        }
    }

    /// Whether the time is over.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let timer = self.timer.as_mut();
        timer.is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
    }

    /// Ready when the time is over; to be asked whenever there is nothing else to do.
    ///
    /// It asks for another poll first: what a server has read with the head it hands over by then,
    /// which is cheaper than a timer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !mem::replace(&mut self.has_waited, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        timer.as_mut().poll(cx)
    }
}

use core::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http_body::Body;
use pin_project_lite::pin_project;
use scrupp_verify_core::{
    Rejection, RejectionKind, Verified,
    adapter::{Gate, Intake},
};
use tokio::time::{Sleep, sleep};

/// After how many frames the other tasks of the runtime get a turn.
const FRAMES_PER_POLL: usize = 32;

pin_project! {
    /// Moves a body to where it is verified or, once the delivery is refused, away.
    ///
    /// The rest of a refused body is read on, for as many bytes as the limit allows a good one: a
    /// connection that is closed with bytes unread is reset, and its client might never get to
    /// see the response.
    pub(crate) struct Pump<B> {
        #[pin]
        body: B,
        #[pin]
        deadline: Option<Sleep>,
        timeout: Duration,
        intake: Result<Intake, Rejection>,
        drainable_bytes: usize,
    }
}

impl<B> Pump<B> {
    pub(crate) fn new<R>(body: B, intake: Result<Intake, Rejection>, gate: &Gate<R>) -> Self {
        Self {
            body,
            deadline: None,
            timeout: gate.body_timeout,
            intake,
            drainable_bytes: gate.policy.max_body_bytes(),
        }
    }
}

impl<B: Body> Future for Pump<B> {
    type Output = Result<(Verified, Bytes), Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut frames = 0;
        let ending = loop {
            match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are not signed, and go no further.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    match this.intake {
                        Ok(intake) => {
                            if let Err(rejection) = intake.push(data) {
                                *this.intake = Err(rejection);
                            }
                        }
                        Err(_) => match this.drainable_bytes.checked_sub(data.remaining()) {
                            Some(left) => *this.drainable_bytes = left,
                            None => break Some(RejectionKind::BodyTooLarge),
                        },
                    }
                    frames += 1;
                    if frames < FRAMES_PER_POLL {
                        continue;
                    }
                    cx.waker().wake_by_ref();
                }
                Poll::Ready(Some(Err(_))) => break Some(RejectionKind::BodyBroken),
                Poll::Ready(None) => break None,
                Poll::Pending => {}
            }
            if this.deadline.is_none() {
                this.deadline.set(Some(sleep(*this.timeout)));
            }
            let Some(deadline) = this.deadline.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            ready!(deadline.poll(cx));
            break Some(RejectionKind::BodyTimeout);
        };
        let completed = Err(RejectionKind::BodyBroken.into());
        let intake = mem::replace(this.intake, completed)?;
        Poll::Ready(match ending {
            None => intake.finish(),
            Some(reason) => Err(reason.into()),
        })
    }
}

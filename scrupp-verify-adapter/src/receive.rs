use core::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::{Buf, Bytes};
use http_body::Body;
use scrupp_verify_core::{
    Account, AccountId, Headers, Keyring, Rejection, RejectionKind, VerifiedDelivery,
};
use tokio::{
    task::{consume_budget, yield_now},
    time::{Instant, timeout_at},
};

use crate::{
    Config, HandlerGuard,
    budget::Reservation,
    claims::{self, Claimed, DeliveryId},
    config::Secrets,
    log,
    observer::Observation,
};

/// A body of up to this many bytes needs no reservation in the budget.
const FREE_BYTES: usize = 16 * 1024;

/// The number of bytes to hash before yielding to other tasks.
const HASH_STEP_BYTES: usize = 64 * 1024;

/// The longest body timeout, about 34 years. Longer ones would overflow the clock.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1 << 30);

/// A verified delivery for the handler.
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// The body with its proof. Not copied if it arrived in one chunk.
    pub delivery: VerifiedDelivery<Bytes>,
    /// The guard of the handler. [Complete](HandlerGuard::complete) it with the handler's status.
    pub handler: HandlerGuard,
}

/// A delivery that was rejected. The rejection is already logged.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rejected {
    /// The reason.
    pub rejection: Rejection,
    /// True if the client may still be sending its body.
    is_sending: bool,
    /// The deadline of the body, if the adapter had to wait for the body.
    deadline: Option<Instant>,
}

impl<R, F> Config<R, F> {
    /// Rejects a delivery before its body is polled.
    ///
    /// A client that expects `100 Continue` has not sent a body yet. Without a runtime, there is no
    /// timer for a drain.
    fn reject_head(
        &self,
        rejection: impl Into<Rejection>,
        headers: &(impl Headers + ?Sized),
    ) -> Rejected {
        let rejected = self.reject(rejection, None, None);
        Rejected {
            is_sending: headers.values("expect").next().is_none()
                && rejected.rejection.kind() != RejectionKind::RuntimeUnavailable,
            ..rejected
        }
    }

    /// Rejects a delivery after its body is polled. Only a body that exceeds the limit may still
    /// be arriving: other bodies are complete, broken or timed out.
    fn reject(
        &self,
        rejection: impl Into<Rejection>,
        account: Option<AccountId>,
        id: Option<DeliveryId>,
    ) -> Rejected {
        let rejection = rejection.into();
        log::rejected(&rejection, account, id);
        self.reporter.report(|| Observation::Rejected {
            rejection: &rejection,
            account,
        });
        Rejected {
            rejection,
            is_sending: rejection.kind() == RejectionKind::BodyTooLarge,
            deadline: None,
        }
    }

    /// Receives a delivery: checks the headers, looks up the account, reads the body, verifies it and
    /// claims the delivery, in this order.
    ///
    /// `claimed` is the claim that an outer adapter inserted into the request's extensions, if any.
    ///
    /// Returns `None` for a duplicate. In this case, do not run the handler. Respond with 200, an empty
    /// body, and [`Duplicate`](crate::Duplicate) in the response's extensions.
    ///
    /// # Errors
    ///
    /// [`Rejected`] with the reason. The caller must then [drain](Self::drain) the body.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the delivery's reservation in the budget and its claim are released.
    pub async fn receive<H: Headers + ?Sized, B: Body + Unpin>(
        &self,
        headers: &H,
        request: &R,
        claimed: Option<&Claimed>,
        body: &mut B,
    ) -> Result<Option<Accepted>, Rejected> {
        self.reporter.report_limit(self.buffer_budget.bytes());
        let started = self.reporter.start();
        let head = self.check_head(headers);
        let head = head.map_err(|rejection| self.reject_head(rejection, headers))?;
        let account = self.look_up(request).await;
        let account = account.map_err(|kind| self.reject_head(kind, headers))?;

        let mut deadline = None;
        let read = self.read_in_time(body, &mut deadline).await;
        let (body, reservation) = read.map_err(|kind| Rejected {
            deadline,
            ..self.reject(kind, account.as_deref().map(Account::id), None)
        })?;

        let delivery = if body.len() <= HASH_STEP_BYTES {
            self.with_keyring(account.as_deref(), |keyring| head.verify(keyring, body))
        } else {
            let begin = |keyring: &Keyring| head.verify_in_steps(keyring, body);
            // Boxed, because most deliveries are too small to need these fields in the future.
            let mut steps = Box::new(self.with_keyring(account.as_deref(), begin));
            while steps.step(HASH_STEP_BYTES) {
                yield_now().await;
            }
            steps.finish()
        };
        let delivery = delivery.map_err(|rejection| {
            self.reject(rejection, account.as_deref().map(Account::id), None)
        })?;
        started.report(|time| Observation::Verified {
            verified: delivery.verified(),
            body_bytes: delivery.body().len(),
            time,
        });
        // The budget is for unverified bodies only.
        drop(reservation);

        let mut claim = None;
        if let Some(dedup) = &self.dedup
            && let Some(id) = claims::id_of(Some(dedup), &delivery)
        {
            let window = self.policy.tolerance.window();
            // Boxed to keep the future small.
            claim = Box::pin(dedup.claim(id, window, claimed, &self.reporter))
                .await
                .map_err(|kind| self.reject(kind, account.as_deref().map(Account::id), Some(id)))?;
            if claim.is_none() {
                log::duplicate(&delivery, id);
                let verified = delivery.verified();
                self.reporter.report(|| Observation::Duplicate { verified });
                return Ok(None);
            }
        }
        let handler = HandlerGuard::new(delivery.clone(), claim, started);
        Ok(Some(Accepted { delivery, handler }))
    }

    /// Looks up the account of a request, if accounts are looked up.
    async fn look_up(&self, request: &R) -> Result<Option<Box<Account>>, RejectionKind> {
        let Secrets::LookedUp {
            lookup, running, ..
        } = &self.secrets
        else {
            return Ok(None);
        };
        // Boxed, because most adapters have no lookup.
        Box::pin(async {
            let deadline = self.deadline();
            // The semaphore is never closed.
            let permit = timeout_at(deadline, running.acquire()).await;
            // At the deadline, a permit must not start a lookup. Otherwise, each hanging lookup would be
            // followed by another one.
            if permit.is_err() || Instant::now() >= deadline {
                log::error("too many account lookups are running, and none ended in time");
                return Err(RejectionKind::SecretsUnavailable);
            }
            let found = timeout_at(deadline, lookup(request)).await;
            found.unwrap_or_else(|_| {
                log::error("an account lookup took longer than the body timeout");
                Err(RejectionKind::SecretsUnavailable)
            })
        })
        .await
    }

    /// Calls `verify` with the keyring of this account, or with the only keyring.
    fn with_keyring<T>(&self, account: Option<&Account>, verify: impl FnOnce(&Keyring) -> T) -> T {
        match &self.secrets {
            Secrets::OneAccount(keyring) => verify(&keyring.current.load()),
            Secrets::LookedUp { unknown, .. } => verify(account.map_or(unknown, Account::keyring)),
        }
    }

    /// Reads a complete body before its deadline.
    async fn read_in_time<B: Body + Unpin>(
        &self,
        body: &mut B,
        deadline: &mut Option<Instant>,
    ) -> Result<(Bytes, Option<Box<Reservation<'_>>>), RejectionKind> {
        // Distinguishes waiting for the budget from waiting for the client.
        let mut on_timeout = RejectionKind::BodyTimeout;
        let read = {
            let mut read = pin!(self.read(body, &mut on_timeout));
            // Most bodies are complete at the first poll, and need no timer.
            match poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await {
                Poll::Ready(read) => Ok(read),
                Poll::Pending => {
                    let at = *deadline.insert(self.deadline());
                    Box::pin(timeout_at(at, read)).await
                }
            }
        };
        read.unwrap_or(Err(on_timeout))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.body_timeout.min(LONGEST_TIMEOUT)
    }

    /// Reads a complete body. Sets `on_timeout` to the reason for a rejection at the deadline.
    async fn read<B: Body + Unpin>(
        &self,
        body: &mut B,
        on_timeout: &mut RejectionKind,
    ) -> Result<(Bytes, Option<Box<Reservation<'_>>>), RejectionKind> {
        let mut received = Vec::new();
        let mut reservation = None;
        let mut whole = 0;
        while !body.is_end_stream() {
            let with = |remaining: u64| {
                let remaining = usize::try_from(remaining).unwrap_or(usize::MAX);
                received.len().saturating_add(remaining)
            };
            // If a length is declared, both bounds are the remaining part of it.
            let remaining = body.size_hint();
            if reservation.is_none() && with(remaining.lower()) > FREE_BYTES {
                whole = with(remaining.upper().unwrap_or(u64::MAX)).min(self.policy.body_limit);
                *on_timeout = RejectionKind::OverBudget;
                let reserve = self.buffer_budget.reserve(whole, &self.reporter);
                reservation = Box::pin(reserve).await;
                *on_timeout = RejectionKind::BodyTimeout;
            }
            let limit = self.policy.body_limit.saturating_sub(received.len());
            let Some(chunk) = next_chunk(body, limit).await? else {
                break;
            };
            if received.is_empty() && body.is_end_stream() {
                return Ok((chunk, reservation));
            }
            // Copied, because a chunk may keep a much larger read buffer of the server alive. Grows
            // like a `Vec`, but not beyond the reservation.
            let remaining = whole.saturating_sub(received.len());
            received.reserve_exact(remaining.min(received.len().max(chunk.len())));
            received.extend_from_slice(&chunk);
        }
        Ok((received.into(), reservation))
    }

    /// Returns a future that reads and drops the remaining body of a rejected delivery, up to the body
    /// limit and the body timeout. The adapter polls it after the head of the response is sent.
    ///
    /// Without the drain, the client may not get the response, because a server that closes a connection
    /// with unread bytes resets it.
    ///
    /// Returns `None` if the body is complete, broken or timed out, or if the client is still waiting
    /// for `100 Continue`.
    pub fn drain<B: Body + Unpin>(
        &self,
        rejected: Rejected,
        mut body: B,
    ) -> Option<impl Future<Output = ()> + use<R, F, B>> {
        if !rejected.is_sending || body.is_end_stream() {
            return None;
        }
        let mut limit = self.policy.body_limit;
        let deadline = rejected.deadline.unwrap_or_else(|| self.deadline());
        Some(async move {
            let drained = timeout_at(deadline, async {
                while !body.is_end_stream()
                    && let Ok(Some(chunk)) = next_chunk(&mut body, limit).await
                {
                    limit = limit.saturating_sub(chunk.len());
                }
            });
            // The response ends now, whether the drain is complete or not.
            let _ = drained.await;
        })
    }
}

/// Returns the next chunk, or `None` after the last one. Trailers end the body, and are not signed.
async fn next_chunk<B: Body + Unpin>(
    body: &mut B,
    limit: usize,
) -> Result<Option<Bytes>, RejectionKind> {
    // A body that is always ready must not block other tasks or its own deadline.
    consume_budget().await;
    match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        Some(Ok(frame)) => match frame.into_data() {
            Ok(data) if data.remaining() > limit => Err(RejectionKind::BodyTooLarge),
            Ok(mut data) => Ok(Some(data.copy_to_bytes(data.remaining()))),
            Err(_trailers) => Ok(None),
        },
        Some(Err(_)) => Err(RejectionKind::BodyBroken),
        None => Ok(None),
    }
}

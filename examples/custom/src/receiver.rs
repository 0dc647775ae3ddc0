use std::{
    io::{self, ErrorKind},
    net::{TcpListener, TcpStream},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use scrupp_verify_core::{
    Rejection, RejectionKind, UnixTime, Verified, Verifier,
    dedup::{Claim, DeliveryId, DeliveryStore, MemoryStore, Owner},
};

use crate::{Answer, Framing, Head, HeadError, connection::Connection};

/// More connections than this wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;

/// Of a thread: enough for a connection's buffers, and for a handler that is no deep recursion.
const STACK_BYTES: usize = 256 * 1024;

/// How long a head may take, and then a body.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of bodies that are not verified, over all connections: then it is 503.
const BUFFER_BUDGET_BYTES: usize = 64 * 1024 * 1024;

/// How long the handler has before another attempt at the same delivery may run it again.
const LEASE: Duration = Duration::from_secs(60);

/// How long a handled delivery is remembered: as long as Scrupp's retries go on.
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Takes deliveries: verifies each, and runs a handler once on what is genuine.
#[derive(Debug)]
pub struct Receiver<F> {
    verifier: Verifier,
    store: MemoryStore,
    handler: F,
    buffered: AtomicUsize,
}

impl<F: Fn(&[u8]) -> Answer> Receiver<F> {
    /// A receiver whose handler gets the bodies of deliveries, byte for byte.
    pub fn new(verifier: Verifier, handler: F) -> Self {
        Self {
            verifier,
            store: MemoryStore::default(),
            handler,
            buffered: AtomicUsize::new(0),
        }
    }

    fn receive(&self, connection: &mut Connection, head: &Head) -> Answer {
        let handled = self.verify(connection, head);
        let handled = handled.and_then(|(verified, body)| self.handle(&verified, &body));
        handled.unwrap_or_else(Answer::from)
    }

    /// Verifies while the body comes in: the head before any of it is read, each piece as it is
    /// there.
    fn verify(
        &self,
        connection: &mut Connection,
        head: &Head,
    ) -> Result<(Verified, Vec<u8>), Rejection> {
        let now = UnixTime::now().ok_or(RejectionKind::ClockUnavailable)?;
        let mut delivery = self.verifier.begin(head, now)?;
        let mut framing = Framing::of(head).map_err(|_| RejectionKind::BodyBroken)?;
        let mut body = Vec::new();
        let mut share = Share(&self.buffered, 0);

        connection.allow(BODY_TIMEOUT);
        if head.waits_to_be_asked() {
            let asked = connection.send("HTTP/1.1 100 Continue\r\n\r\n");
            asked.map_err(|_| RejectionKind::BodyBroken)?;
        }
        while framing != Framing::End {
            let advanced = framing.advance(connection.received());
            let (piece, done) = advanced.map_err(|_| RejectionKind::BodyBroken)?;
            delivery.update(piece)?;
            share.add(piece.len())?;
            body.extend_from_slice(piece);
            connection.consume(done);
            if done == 0 && framing != Framing::End {
                connection.receive().map_err(|error| match error.kind() {
                    ErrorKind::TimedOut => RejectionKind::BodyTimeout,
                    _ => RejectionKind::BodyBroken,
                })?;
            }
        }
        Ok((delivery.finish()?, body))
    }

    /// Runs the handler, unless the delivery was handled before. A handler that panics leaves its
    /// claim to the lease.
    fn handle(&self, verified: &Verified, body: &[u8]) -> Result<Answer, Rejection> {
        let (id, owner) = (DeliveryId::of(&[body]), Owner::random());
        match now(self.store.claim(id, owner, LEASE)) {
            Some(Ok(Claim::Granted)) => {}
            Some(Ok(Claim::Acknowledged)) => return Ok(Answer::status(200)),
            Some(Ok(Claim::InFlight)) => return Err(RejectionKind::InFlight.into()),
            Some(Err(_)) | None => return Err(RejectionKind::StoreUnavailable.into()),
        }
        let answer = (self.handler)(body);
        if answer.is_success() {
            let _ = now(self.store.commit(id, owner, RETENTION));
        } else {
            self.store.release_now(id, owner);
        }
        Ok(answer)
    }
}

/// What one body has of the bytes that are buffered and not verified. Given back when dropped.
struct Share<'a>(&'a AtomicUsize, usize);

impl Share<'_> {
    fn add(&mut self, bytes: usize) -> Result<(), RejectionKind> {
        self.1 += bytes;
        match self.0.fetch_add(bytes, Ordering::Relaxed) {
            0..BUFFER_BUDGET_BYTES => Ok(()),
            _ => Err(RejectionKind::OverBudget),
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// The answer of a store in memory, which never has to be waited for.
fn now<T>(answer: impl Future<Output = T>) -> Option<T> {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// Serves all that connect, each in a thread of its own.
pub fn serve_all<F, G>(listener: &TcpListener, receiver: &Arc<Receiver<F>>, other: G)
where
    F: Fn(&[u8]) -> Answer + Send + Sync + 'static,
    G: Fn(&str, &str) -> Answer + Copy + Send + 'static,
{
    for accepted in listener.incoming() {
        let Ok(stream) = accepted else {
            // No file descriptor is free, most likely: let connections come to their end.
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        while Arc::strong_count(receiver) > MAX_CONNECTIONS {
            thread::sleep(Duration::from_millis(10));
        }
        let receiver = Arc::clone(receiver);
        let connection = thread::Builder::new().stack_size(STACK_BYTES);
        // A client that is gone is nobody to answer; one that there is no thread for, neither.
        let _ = connection.spawn(move || serve(stream, &receiver, other));
    }
}

/// Serves the one request of a connection: a `POST` to `/webhooks/scrupp` is for the receiver,
/// every other request for `other`, by its method and path.
///
/// # Errors
///
/// What the operating system says of the connection, where there was nobody to answer any more.
pub fn serve(
    stream: TcpStream,
    receiver: &Receiver<impl Fn(&[u8]) -> Answer>,
    other: impl Fn(&str, &str) -> Answer,
) -> io::Result<()> {
    let mut connection = Connection::new(stream, HEAD_TIMEOUT)?;
    let answer = match read_head(&mut connection)? {
        Err(HeadError) => Answer::status(400),
        Ok(head) => match (head.method(), head.path()) {
            ("POST", "/webhooks/scrupp") => receiver.receive(&mut connection, &head),
            (method, path) => other(method, path),
        },
    };
    connection.send(&answer.to_http())?;
    connection.close();
    Ok(())
}

fn read_head(connection: &mut Connection) -> io::Result<Result<Head, HeadError>> {
    loop {
        match Head::parse(connection.received()) {
            Ok(None) => connection.receive()?,
            Ok(Some((head, length))) => {
                connection.consume(length);
                return Ok(Ok(head));
            }
            Err(error) => return Ok(Err(error)),
        }
    }
}

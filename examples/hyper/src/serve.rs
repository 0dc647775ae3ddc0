//! A server for HTTP/1.1 and HTTP/2 on one port, with limits on connections, buffers and time.
//!
//! The server runs any hyper service, and any tower service through `TowerToHyperService`. This file uses
//! no other file of its example.

use core::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::{io, sync::Arc, time::Instant};

use hyper::{Request, Response, body, body::Body, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, Interest, Join, ReadBuf, join},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tracing::warn;

/// Maximum number of connections. Further connections wait in the queue of the operating system.
const CONNECTIONS: usize = 8192;

/// Time limit for the head of an HTTP/1.1 request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of the read buffer of an HTTP/1.1 connection, and of a request's head, in bytes.
///
/// hyper's default is about 400 KiB. The budget for unverified bodies does not include these buffers.
const READ_BUFFER: usize = 16 * 1024;

/// Flow-control window of an HTTP/2 request, in bytes. hyper's default is 1 MiB.
const STREAM_WINDOW: u32 = 64 * 1024;

/// Flow-control window of an HTTP/2 connection, in bytes. hyper's default is 1 MiB.
///
/// The window exceeds that of one request, so a request whose body is not read does not block the others.
const CONNECTION_WINDOW: u32 = 128 * 1024;

/// Maximum number of concurrent requests on an HTTP/2 connection. Each may hold 16 KiB and one frame
/// outside the budget.
const STREAMS: u32 = 16;

/// Time during which a connection accepts requests. An idle connection is closed after this time.
const CONNECTION_AGE: Duration = Duration::from_secs(60);

/// Time for running requests to complete after `CONNECTION_AGE`, or after a signal.
const LAST_REQUESTS: Duration = Duration::from_secs(20);

/// Minimum time between two warnings that no connection can be accepted.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

type BoxError = Box<dyn Error + Send + Sync>;

/// Serves until SIGINT or SIGTERM, then completes the running requests.
///
/// # Errors
///
/// Returns an error if the server cannot listen on the address.
pub(crate) async fn until_stopped<S, B>(address: &str, service: S) -> io::Result<()>
where
    S: Service<Request<body::Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    let stopped = stopped()?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, service, stopped).await;
    Ok(())
}

/// Serves until `stopped` completes, then completes the running requests.
///
/// A client that half-closes its connection still gets the response. If a client resets its connection,
/// the server drops the handler.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    stopped: impl Future<Output = ()>,
) where
    S: Service<Request<body::Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .half_close(true)
        .max_buf_size(READ_BUFFER);
    server
        .http2()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS);

    tokio::pin!(stopped);
    let (stop, stopping) = watch::channel(());
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let accept = async || {
        let permit = Arc::clone(&connections).acquire_owned().await;
        (listener.accept().await, permit)
    };
    let mut warned_at: Option<Instant> = None;
    loop {
        let (accepted, permit) = tokio::select! {
            accepted = accept() => accepted,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (server, service, stopping) =
                    (server.clone(), service.clone(), stopping.clone());
                tokio::spawn(async move {
                    serve_connection(server, stream, service, stopping).await;
                    drop(permit);
                });
            }
            // Usually no file descriptor is free. Wait for connections to close.
            Err(error) => {
                if warned_at.is_none_or(|time| time.elapsed() >= WARNING_INTERVAL) {
                    warned_at = Some(Instant::now());
                    warn!(%error, "cannot accept connections");
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop((listener, stopping));
    stop.send_replace(());
    let _ = timeout(LAST_REQUESTS, stop.closed()).await;
}

async fn serve_connection<S, B>(
    server: auto::Builder<TokioExecutor>,
    stream: TcpStream,
    service: S,
    mut stopping: watch::Receiver<()>,
) where
    S: Service<Request<body::Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    // Without this, the body of a rejection may wait for the client's ACK of the head.
    let _ = stream.set_nodelay(true);
    let (reader, stream) = Reader::new(stream);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    // With `half_close`, hyper does not detect a reset while a handler runs.
    let reset = reader.reset();
    tokio::pin!(connection, reset);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = reset.as_mut() => return,
        _ = stopping.changed() => {}
        () = sleep(CONNECTION_AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = reset => {}
        () = sleep(LAST_REQUESTS) => {}
    }
}

/// The read half of a TCP stream, which detects a reset without reading. Clones share the stream.
#[derive(Clone)]
struct Reader(Arc<OwnedReadHalf>);

impl Reader {
    /// Splits a stream into its read half and a stream for hyper.
    fn new(stream: TcpStream) -> (Self, Join<Self, OwnedWriteHalf>) {
        let (read, write) = stream.into_split();
        let reader = Self(Arc::new(read));
        (reader.clone(), join(reader, write))
    }

    /// Completes when the client resets the connection.
    async fn reset(&self) {
        let _ = self.0.ready(Interest::ERROR).await;
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream: &TcpStream = (*self.0).as_ref();
        loop {
            ready!(stream.poll_read_ready(context))?;
            match stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

/// Returns a future that completes on SIGINT or SIGTERM. After the call, these signals no longer end the
/// process.
#[cfg(unix)]
fn stopped() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stopped() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

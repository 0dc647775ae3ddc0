//! HTTP/1.1 and HTTP/2 on one port, with bounds on everything that a client can make the server wait
//! for.
//!
//! Serves any hyper service, and with `TowerToHyperService` any tower service. It depends on nothing else of
//! its example, and can be copied as it is.

use core::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::{io, sync::Arc};

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

/// Number of connections served at once. Further ones wait in the operating system's queue.
const CONNECTIONS: usize = 8192;

/// Time for the head of a request to arrive. The body has its own limit.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest read buffer of an HTTP/1.1 connection, in bytes, which bounds a request's head too. The
/// default of hyper is about 400 KiB. No budget counts it, not even while a rejected body is drained.
const READ_BUFFER: usize = 16 * 1024;

/// Number of bytes of an HTTP/2 request that a client may send before the handler reads them: the
/// protocol's own default (RFC 9113, section 6.9.2). A body of 256 KiB takes four windows.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all requests of a connection, so that one that waits does not delay the others. The
/// default of hyper is 1 MiB for each.
const CONNECTION_WINDOW: u32 = 128 * 1024;

/// Number of requests that are received at once on an HTTP/2 connection. Each may hold 16 KiB outside
/// the budget.
const STREAMS: u32 = 16;

/// Time for which a connection may start requests. Also limits a silent connection.
const CONNECTION_AGE: Duration = Duration::from_secs(60);

/// Time for the last requests of a connection to complete, after its age or a signal ended it.
const LAST_REQUESTS: Duration = Duration::from_secs(20);

type BoxError = Box<dyn Error + Send + Sync>;

/// Serves until SIGINT or SIGTERM, and completes the requests that were received.
///
/// # Errors
///
/// If the server cannot listen on the address.
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

/// Serves until a future completes, and then completes the requests that were received.
///
/// A client that closes its sending side still gets its response. If the client resets the
/// connection, the handler is dropped.
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
            // Most likely no file descriptor is free: let connections end.
            Err(_) => sleep(Duration::from_millis(100)).await,
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
    // Otherwise the body of a rejection would wait for the client's ACK of its head.
    let _ = stream.set_nodelay(true);
    let (reader, stream) = Reader::new(stream);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    // With `half_close`, hyper reads nothing while a handler runs, and would not notice a reset.
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

/// Reading half of a TCP stream, which reports a reset while nothing is read. Clones share the stream.
#[derive(Clone)]
struct Reader(Arc<OwnedReadHalf>);

impl Reader {
    /// Splits a stream into its reading half and a stream for hyper.
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

/// Completes at SIGINT or SIGTERM. From the call on, these signals no longer end the process.
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

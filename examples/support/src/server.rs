//! HTTP/1.1 and HTTP/2 on one port, with a bound on all that a client can make the server wait for.

use std::{error::Error, io, sync::Arc, time::Duration};

use hyper::{Request, Response, body, body::Body, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

/// Connections served at once. Further ones wait in the operating system's queue.
const CONNECTIONS: usize = 8192;

/// How long the head of a request may take; the body has its own limit.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How large the read buffer of an HTTP/1.1 connection may grow, which bounds a request's head too.
/// hyper's default is about 400 KiB.
const READ_BUFFER: usize = 64 * 1024;

/// How many bytes of one HTTP/2 request a client may send ahead of what the handler reads: the
/// protocol's own default (RFC 9113, section 6.9.2). A body of 256 KiB takes four windows.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all requests of a connection, so that one that waits does not hold up the others.
/// hyper's default is 1 MiB for each.
const CONNECTION_WINDOW: u32 = 128 * 1024;

/// How many requests of an HTTP/2 connection are received at once. Each may hold 16 KiB that are not
/// counted in the budget.
const STREAMS: u32 = 16;

/// How long a connection may bring requests, also one that says nothing.
const CONNECTION_AGE: Duration = Duration::from_secs(60);

/// How long, after that or after a signal, the requests may take that are under way.
const LAST_REQUESTS: Duration = Duration::from_secs(20);

type BoxError = Box<dyn Error + Send + Sync>;

/// Serves on this address until SIGINT or SIGTERM, then ends what is under way.
///
/// # Errors
///
/// Where it cannot listen on that address.
pub async fn until_stopped<S, B>(bind: &str, service: S) -> Result<(), Box<dyn Error>>
where
    S: Service<Request<body::Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind(bind).await;
    let listener = listener.map_err(|error| format!("BIND={bind}: {error}"))?;
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        // A client that closes its sending side after the request still reads the response.
        .half_close(true)
        .max_buf_size(READ_BUFFER);
    server
        .http2()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS);

    let stopped = stopped()?;
    tokio::pin!(stopped);
    let (stop, stopping) = watch::channel(());
    println!("listening on http://{}", listener.local_addr()?);
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
                let stopping = stopping.clone();
                let connection = serve(server.clone(), stream, service.clone(), stopping);
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            // No file descriptor is free, most likely: let connections come to their end.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    drop((listener, stopping));
    stop.send_replace(());
    let _ = timeout(LAST_REQUESTS, stop.closed()).await;
    Ok(())
}

async fn serve<S, B>(
    server: auto::Builder<TokioExecutor>,
    stream: TcpStream,
    service: S,
    mut stopping: watch::Receiver<()>,
) where
    S: Service<Request<body::Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    // A rejection's head and body are written apart: neither is to wait for the other's ACK.
    let _ = stream.set_nodelay(true);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.changed() => {}
        () = sleep(CONNECTION_AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LAST_REQUESTS, connection).await;
}

/// Ready at SIGINT or SIGTERM, which end the process no more by themselves.
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

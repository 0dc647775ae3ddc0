//! Salvo's server on one port, with bounds on what a client can make it wait for and keep in memory.
//!
//! The age of a connection has no bound: an HTTP/2 client that sends a frame now and then keeps its
//! connection. A client that resets its connection does not end the handler of its delivery.

use std::{io, time::Duration};

use salvo::{Router, Server, conn::tcp::TcpAcceptor, fuse::FuseConfig};
use tokio::net::TcpListener;

/// Number of connections served at once. Further ones wait in the operating system's queue.
const CONNECTIONS: usize = 8192;

/// Time for the head of an HTTP/1.1 request to arrive. The body has its own limit.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for which a connection may be silent.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Largest read buffer of an HTTP/1.1 connection, in bytes, which bounds a request's head too. The
/// default of hyper is about 400 KiB. No budget counts it.
const READ_BUFFER: usize = 16 * 1024;

/// Number of bytes of an HTTP/2 request that a client may send before the handler reads them.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all requests of a connection. The default of hyper is 1 MiB for each.
const CONNECTION_WINDOW: u32 = 128 * 1024;

/// Number of requests that are received at once on an HTTP/2 connection.
const STREAMS: u32 = 16;

/// Time for the client to take in a response, and for the last requests to complete after a signal.
const LAST_REQUESTS: Duration = Duration::from_secs(20);

/// Serves until SIGINT or SIGTERM, and completes the requests that were received.
///
/// A client that closes its sending side still gets its response.
///
/// # Errors
///
/// If the server cannot listen on the address.
pub(crate) async fn until_stopped(address: &str, router: Router) -> io::Result<()> {
    let acceptor = TcpAcceptor::try_from(TcpListener::bind(address).await?)?;
    let stopped = stopped()?;
    println!("listening on http://{}", acceptor.local_addr()?);
    let timeouts = FuseConfig::disabled()
        .with_http1_header_timeout(HEAD_TIMEOUT)
        .with_connection_idle_timeout(IDLE_TIMEOUT)
        .with_write_stall_timeout(LAST_REQUESTS);
    let server = Server::new(acceptor).fuse_config(timeouts);
    let mut server = server.max_connections(CONNECTIONS);
    let http1 = server.http1_mut();
    http1.half_close(true).max_buf_size(READ_BUFFER);
    server
        .http2_mut()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS);
    let handle = server.handle();
    tokio::spawn(async move {
        stopped.await;
        handle.stop_graceful(LAST_REQUESTS);
    });
    server.try_serve(router).await
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

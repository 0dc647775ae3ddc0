//! Salvo's server for HTTP/1.1 and HTTP/2 on one port, with limits on connections, buffers and time.
//!
//! The age of a connection is not limited: an HTTP/2 client that keeps sending frames keeps its
//! connection. The handler of a delivery keeps running if the client resets its connection.

use std::{io, time::Duration};

use salvo::{Router, Server, conn::tcp::TcpAcceptor, fuse::FuseConfig};
use tokio::net::TcpListener;

/// Maximum number of connections. Further connections wait in the queue of the operating system.
const CONNECTIONS: usize = 8192;

/// Time limit for the head of an HTTP/1.1 request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Time after which an idle connection is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum size of the read buffer of an HTTP/1.1 connection, and of a request's head, in bytes.
///
/// hyper's default is about 400 KiB. The budget for unverified bodies does not include these buffers.
const READ_BUFFER: usize = 16 * 1024;

/// Flow-control window of an HTTP/2 request, in bytes. hyper's default is 1 MiB.
const STREAM_WINDOW: u32 = 64 * 1024;

/// Flow-control window of an HTTP/2 connection, in bytes. hyper's default is 1 MiB.
const CONNECTION_WINDOW: u32 = 128 * 1024;

/// Maximum number of concurrent requests on an HTTP/2 connection.
const STREAMS: u32 = 16;

/// Time for a client to read a response, and for running requests to complete after a signal.
const LAST_REQUESTS: Duration = Duration::from_secs(20);

/// Serves until SIGINT or SIGTERM, then completes the running requests.
///
/// A client that half-closes its connection still gets the response.
///
/// # Errors
///
/// Returns an error if the server cannot listen on the address.
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

//! HTTP/1.1 server with limits for slow clients.

use core::{error::Error as StdError, net::SocketAddr, time::Duration};
use std::{sync::Arc, time::Instant};

use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::HttpService,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    pin,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tracing::warn;

use crate::output::Error;

/// Time limit for the head of a request, and for an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of the read buffer and of a request head, in bytes. The default of hyper is about 400 KiB.
const READ_BUFFER: usize = 16 * 1024;

/// Time after which a connection accepts no further requests.
const CONNECTION_AGE: Duration = Duration::from_secs(60);

/// Time limit for the last request of a connection. A request of the gateway takes up to 80 s: 10 s for the
/// body, 60 s for the target, and 10 s for the store.
const LAST_REQUESTS: Duration = Duration::from_secs(90);

/// Minimum time between two warnings that no connection can be accepted.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

type BoxError = Box<dyn StdError + Send + Sync>;

/// Listens on an address. Returns the listener and its URL, with the actual port.
pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, String), Error> {
    let failed = |why| Error::failed(address, why);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    Ok((listener, url))
}

/// Serves until `stopped` completes. Then completes the requests in progress, and returns the output of
/// `stopped`.
///
/// Serves at most `connections` connections at once. Further connections wait in the backlog of the operating
/// system. If a client disconnects, its request still completes, because with `half_close`, hyper reads nothing
/// until the response is written.
pub(crate) async fn serve<S, B, T>(
    listener: TcpListener,
    connections: usize,
    service: S,
    stopped: impl Future<Output = T>,
) -> T
where
    S: HttpService<Incoming, ResBody = B, Error: Into<BoxError>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .half_close(true)
        .max_buf_size(READ_BUFFER);
    let permits = Arc::new(Semaphore::new(connections));
    let mut warned_at: Option<Instant> = None;
    let mut accept = async || loop {
        let permit = Arc::clone(&permits).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            // Most likely, the process is out of file descriptors. Waits for connections to end.
            Err(error) => {
                if warned_at.is_none_or(|time| time.elapsed() >= WARNING_INTERVAL) {
                    warned_at = Some(Instant::now());
                    warn!(%error, "cannot accept connections");
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    };
    let (stop, stopping) = watch::channel(());
    pin!(stopped);
    let ended = loop {
        let (stream, permit) = tokio::select! {
            accepted = accept() => accepted,
            ended = &mut stopped => break ended,
        };
        // Otherwise, the body of a rejection would wait for the client's ACK of the head.
        let _ = stream.set_nodelay(true);
        let connection = server.serve_connection(TokioIo::new(stream), service.clone());
        let mut stopping = stopping.clone();
        tokio::spawn(async move {
            let _permit = permit;
            pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = stopping.changed() => {}
                () = sleep(CONNECTION_AGE) => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = timeout(LAST_REQUESTS, connection).await;
        });
    };
    drop((listener, stopping));
    stop.send_replace(());
    let _ = timeout(LAST_REQUESTS, stop.closed()).await;
    ended
}

//! HTTP/1.1, with bounds on everything that a client can make the server wait for.

use core::{error::Error as StdError, net::SocketAddr, time::Duration};
use std::sync::Arc;

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

use crate::output::Error;

/// Time for the head of a request to arrive, and for a connection to stay idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest read buffer of a connection, in bytes, which bounds the head of a request too. The default of
/// hyper is about 400 KiB.
const READ_BUFFER: usize = 16 * 1024;

/// Time for which a connection may start requests.
const CONNECTION_AGE: Duration = Duration::from_secs(60);

/// Time for the last requests of a connection to complete. A request of the gateway takes up to 80 s: 10 s
/// for its body, 60 s for the target, and 10 s for the store.
const LAST_REQUESTS: Duration = Duration::from_secs(90);

type BoxError = Box<dyn StdError + Send + Sync>;

/// Listens on an address. Returns its URL too, with the port that port 0 has become.
pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, String), Error> {
    let failed = |why| Error::failed(address, why);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    Ok((listener, url))
}

/// Serves until a future completes, then completes the requests that were received, and returns what the
/// future returned. Serves at most `connections` at once. Further ones wait in the operating system's
/// queue.
///
/// A client that disconnects does not drop its request: with `half_close`, hyper reads nothing until the
/// response is written.
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
    let accept = async || loop {
        let permit = Arc::clone(&permits).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            // Most likely no file descriptor is free: let connections end.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    };
    let (stop, stopping) = watch::channel(());
    pin!(stopped);
    let ended = loop {
        let (stream, permit) = tokio::select! {
            accepted = accept() => accepted,
            ended = &mut stopped => break ended,
        };
        // Otherwise the body of a rejection would wait for the client's ACK of its head.
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

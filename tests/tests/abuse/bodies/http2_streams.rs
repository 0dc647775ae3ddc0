//! HTTP/2 streams whose bodies wait for budget, so their bytes fill the server's windows.

use core::{future::poll_fn, net::SocketAddr, time::Duration};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use http::Request;
use scrupp_verify_tests::{Delivery, FrontEnd};
use tokio::{net::TcpStream, task::JoinSet};

use super::{BODY_LIMIT, Growth, alone, forged, slow_uploads};
use crate::{KIB, abuse, process};

const UPLOADS: usize = 900;

const CONNECTIONS: usize = 200;

/// Two streams fill the window of a connection.
const STREAMS: usize = 2;

/// Limit for the memory of a connection: its window (128 KiB), 32 KiB for each body, and 64 KiB for
/// the connection itself and for variations in the slow uploads. For each body, the server holds
/// the first 16 KiB, which need no budget, and the frame of 16 KiB that exceeds them.
const LIMIT: u64 = (128 + 32 * STREAMS as u64 + 64) * KIB;

abuse! { http2_streams_hold_at_most_a_window:
    axum_http2_streams_hold_at_most_a_window "example-axum",
    actix_http2_streams_hold_at_most_a_window "example-actix",
    warp_http2_streams_hold_at_most_a_window "example-warp",
    hyper_http2_streams_hold_at_most_a_window "example-hyper",
    custom_http2_streams_hold_at_most_a_window "example-custom",
}

/// Asserts that each of 200 HTTP/2 connections holds at most its window and the start of two
/// bodies, while slow uploads fill the budget. Each client sends as much as the server's windows
/// allow.
///
/// Fails with hyper's default windows of 1 MiB. actix-web reads ahead on its own, so its numbers
/// are only printed.
async fn http2_streams_hold_at_most_a_window(front_end: FrontEnd) {
    let _alone = alone().await;
    let server = front_end.start().await;
    let _uploads = slow_uploads(&server, UPLOADS).await;
    let mut growth = Growth::of(process(&server));
    let forged = forged(BODY_LIMIT);
    let (mut tasks, sent) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..CONNECTIONS {
        fill_windows(&mut tasks, server.address(), &forged, &sent).await;
    }
    growth.settle(Duration::from_secs(4)).await;
    let each = growth.peak / CONNECTIONS as u64;
    println!(
        "{front_end:?}: {} KiB for each connection, {} KiB sent on each",
        each / KIB,
        (sent.load(Relaxed) / CONNECTIONS) as u64 / KIB
    );
    assert!(
        each < LIMIT || front_end.is_actix(),
        "{} KiB for each connection",
        each / KIB
    );
}

/// Opens a connection, and sends as much of each body as the server's windows allow.
async fn fill_windows(
    tasks: &mut JoinSet<()>,
    address: SocketAddr,
    forged: &Delivery,
    sent: &Arc<AtomicUsize>,
) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tasks.spawn(async move { drop(connection.await) });
    for _ in 0..STREAMS {
        let mut request = Request::post("http://localhost/webhooks/scrupp");
        for (name, value) in &forged.headers {
            request = request.header(*name, value);
        }
        client = client.ready().await.unwrap();
        let (response, mut body) = client
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        let sent = Arc::clone(sent);
        tasks.spawn(async move {
            let _response = response;
            loop {
                body.reserve_capacity(BODY_LIMIT);
                let Some(Ok(granted)) = poll_fn(|cx| body.poll_capacity(cx)).await else {
                    return;
                };
                let chunk = Bytes::from(vec![b' '; granted]);
                if body.send_data(chunk, false).is_err() {
                    return;
                }
                sent.fetch_add(granted, Relaxed);
            }
        });
    }
}

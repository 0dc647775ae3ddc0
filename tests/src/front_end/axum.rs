use std::net::SocketAddr;

use axum::{Router, body::Bytes, routing::any};
use scrupp_verify_tower::ScruppVerify;
use tokio::net::TcpListener;

pub(super) async fn start(keep: impl Fn(&[u8]) + Clone + Send + Sync + 'static) -> SocketAddr {
    let app = Router::new()
        .route(
            "/webhooks/scrupp",
            any(async move |body: Bytes| keep(&body)),
        )
        .layer(ScruppVerify::new(super::keyring().expect("a keyring")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

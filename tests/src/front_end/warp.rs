use std::net::SocketAddr;

use bytes::Bytes;
use scrupp_verify_tower::ScruppVerify;
use tower::Layer;
use warp::{Filter, http::StatusCode};

pub(super) async fn start(keep: impl Fn(&[u8]) + Clone + Send + Sync + 'static) -> SocketAddr {
    let routes = warp::path!("webhooks" / "scrupp")
        .and(warp::body::bytes())
        .map(move |body: Bytes| {
            keep(&body);
            StatusCode::OK
        });
    let layer = ScruppVerify::new(super::keyring().expect("a keyring"));
    super::hyper::serve(layer.layer(warp::service(routes))).await
}

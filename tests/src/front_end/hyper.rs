use core::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use scrupp_verify_tower::{ScruppVerify, VerifiedBody};
use tokio::net::TcpListener;
use tower::{Layer, Service, service_fn};

pub(super) async fn start(keep: impl Fn(&[u8]) + Clone + Send + Sync + 'static) -> SocketAddr {
    let service = service_fn(move |request: Request<VerifiedBody>| {
        let keep = keep.clone();
        async move {
            keep(&request.into_body().into_bytes());
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let layer = ScruppVerify::new(super::keyring().expect("a keyring"));
    serve(layer.layer(service)).await
}

/// Serves HTTP/1.1 and HTTP/2 on one port.
pub(super) async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: core::error::Error + Send + Sync> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let connection = server.serve_connection(TokioIo::new(stream), service);
                // An error of one connection affects no other.
                drop(connection.await);
            });
        }
    });
    address
}

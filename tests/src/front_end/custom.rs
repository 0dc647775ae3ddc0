use core::convert::Infallible;
use std::{net::SocketAddr, sync::Arc};

use example_custom::Receiver;
use http::StatusCode;
use scrupp_verify_core::Verifier;
use tower::service_fn;

pub(super) async fn start(keep: impl Fn(&[u8]) + Send + Sync + 'static) -> SocketAddr {
    let verifier = Verifier::new(super::keyring().expect("a keyring"));
    let receiver = Arc::new(Receiver::new(verifier, move |body: Vec<u8>| {
        keep(&body);
        core::future::ready(StatusCode::OK)
    }));
    let service = service_fn(move |request| {
        let receiver = Arc::clone(&receiver);
        async move { Ok::<_, Infallible>(receiver.respond(request).await.expect("a response")) }
    });
    super::hyper::serve(service).await
}

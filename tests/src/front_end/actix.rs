use core::future::poll_fn;
use std::net::{SocketAddr, TcpListener};

use actix_web::{App, HttpResponse, HttpServer, rt, web};
use bytes::BytesMut;
use futures_core::Stream;
use scrupp_verify_actix::ScruppVerify;

pub(super) async fn start(keep: impl Fn(&[u8]) + Clone + Send + Sync + 'static) -> SocketAddr {
    let verify = ScruppVerify::new(super::keyring().expect("a keyring"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = move || {
        let (verify, keep) = (verify.clone(), keep.clone());
        let handler = move |payload: web::Payload| handle(payload, keep.clone());
        let app = move || {
            let resource = web::resource("/webhooks/scrupp").wrap(verify.clone());
            App::new().service(resource.route(web::route().to(handler.clone())))
        };
        let server = HttpServer::new(app).workers(2).disable_signals();
        rt::System::new().block_on(server.listen_auto_h2c(listener)?.run())
    };
    std::thread::spawn(server);
    address
}

/// Reads the raw body, because `web::Bytes` would decompress it.
async fn handle(payload: web::Payload, keep: impl Fn(&[u8])) -> HttpResponse {
    let mut payload = payload.into_inner();
    let mut body = BytesMut::new();
    while let Some(chunk) = poll_fn(|cx| core::pin::Pin::new(&mut payload).poll_next(cx)).await {
        match chunk {
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(_) => return HttpResponse::InternalServerError().finish(),
        }
    }
    keep(&body);
    HttpResponse::Ok().finish()
}

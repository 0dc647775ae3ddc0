//! Real servers with two workers.

use core::{
    future::pending,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use std::sync::Arc;

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, rt, web};
use scrupp_verify_actix::{ScruppVerify, SignedHeaders, Signer, UnixTime, dedup::MemoryStore};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{EVENT, NOW, PATH, secret, verify};

const TIMEOUT: Duration = Duration::from_secs(10);

struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    calls: Arc<AtomicUsize>,
}

/// Serves a handler inside this middleware, on two workers. The first calls misbehave as listed.
async fn serve(verify: ScruppVerify, misbehaving: &'static [Misbehavior]) -> Running {
    let calls = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&calls);
    let server = HttpServer::new(move || {
        let counts = Arc::clone(&counts);
        let handler = move |body: web::Bytes| {
            let turn = counts.fetch_add(1, Ordering::SeqCst);
            async move {
                match misbehaving.get(turn) {
                    Some(Misbehavior::Hangs) => pending().await,
                    Some(Misbehavior::Panics) => panic!("the handler panics"),
                    None => HttpResponse::Ok().body(body),
                }
            }
        };
        let resource = web::resource(PATH).wrap(verify.clone());
        App::new().service(resource.route(web::post().to(handler)))
    });
    // By default, the handler keeps running after the client disconnects.
    let server = server.h1_allow_half_closed(false);
    let server = server.workers(2).disable_signals();
    let server = server.bind(("127.0.0.1", 0)).unwrap();
    let address = *server.addrs().first().unwrap();
    let server = server.run();
    let handle = server.handle();
    rt::spawn(server);
    Running {
        address,
        handle,
        calls,
    }
}

#[derive(Clone, Copy)]
enum Misbehavior {
    Hangs,
    Panics,
}

impl Running {
    async fn send(&self, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        let mut head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(body).await.unwrap();
        connection
    }

    /// Returns the status and the body of the response, or `None` if the connection ends without a response.
    async fn deliver(&self, headers: &[(&str, &str)], body: &[u8]) -> Option<(u16, String)> {
        let mut connection = self.send(headers, body).await;
        let mut response = String::new();
        let read = timeout(TIMEOUT, connection.read_to_string(&mut response)).await;
        read.unwrap().unwrap();
        let (head, body) = response.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, body.to_owned()))
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn sign(content: &[u8]) -> SignedHeaders {
    Signer::new(&secret()).sign(UnixTime::from_secs(NOW), content)
}

#[actix_web::test]
async fn runs_handler_once_on_any_worker() {
    let server = serve(verify().dedup(MemoryStore::default()), &[]).await;
    let signed = sign(EVENT);
    let first = server.deliver(&signed.pairs(), EVENT).await.unwrap();
    let content = str::from_utf8(EVENT).unwrap();
    assert_eq!(first, (200, content.to_owned()));
    // The server assigns connections to the workers in turn.
    for _ in 0..4 {
        let again = server.deliver(&signed.pairs(), EVENT).await.unwrap();
        assert_eq!(again, (200, String::new()));
    }
    assert_eq!(server.calls(), 1);
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn runs_handler_again_after_panic() {
    let verify = verify().dedup(MemoryStore::default());
    let server = serve(verify, &[Misbehavior::Panics]).await;
    let signed = sign(EVENT);
    assert_eq!(server.deliver(&signed.pairs(), EVENT).await, None);
    let (status, _) = server.deliver(&signed.pairs(), EVENT).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(server.calls(), 2);
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn runs_handler_again_after_client_disconnects() {
    let verify = verify().dedup(MemoryStore::default());
    let server = serve(verify, &[Misbehavior::Hangs]).await;
    let signed = sign(EVENT);
    let first = server.send(&signed.pairs(), EVENT).await;
    let called = async {
        while server.calls() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TIMEOUT, called).await.unwrap();
    let (status, _) = server.deliver(&signed.pairs(), EVENT).await.unwrap();
    assert_eq!(status, 503, "in flight");

    drop(first);
    let retried = async {
        while server.deliver(&signed.pairs(), EVENT).await.unwrap().0 == 503 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(TIMEOUT, retried).await.unwrap();
    assert_eq!(server.calls(), 2);
    server.handle.stop(false).await;
}

/// Sends 200,000 unsigned bytes within 2 s, and then reads the status.
async fn trickle(server: &Running) -> u16 {
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 200000\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..20 {
        sleep(Duration::from_millis(100)).await;
        connection.write_all(&[b' '; 10_000]).await.unwrap();
    }
    let mut status_line = [0; 12];
    let read = timeout(TIMEOUT, connection.read_exact(&mut status_line)).await;
    read.unwrap().unwrap();
    str::from_utf8(&status_line[9..]).unwrap().parse().unwrap()
}

#[actix_web::test]
async fn client_reads_rejection_after_sending_its_body() {
    let server = serve(verify(), &[]).await;
    assert_eq!(trickle(&server).await, 401);
    assert_eq!(server.calls(), 0);
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn client_reads_empty_rejection_after_sending_its_body() {
    let verify = verify().on_rejection(|_| HttpResponse::Unauthorized().finish());
    let server = serve(verify, &[]).await;
    assert_eq!(trickle(&server).await, 401);
    assert_eq!(server.calls(), 0);
    server.handle.stop(false).await;
}

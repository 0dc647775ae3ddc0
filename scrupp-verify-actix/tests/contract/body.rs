//! The handler gets the bytes that were on the wire, and reads them as ever.

use core::{
    cell::Cell,
    future::{poll_fn, ready},
    pin::Pin,
    task::{Context, Poll},
};
use std::{io::Write, rc::Rc};

use actix_web::{
    App, HttpMessage, HttpResponse,
    dev::{Payload, ServiceRequest, fn_service},
    error::PayloadError,
    http::StatusCode,
    test::{self, TestRequest},
    web,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_core::Stream;
use scrupp_verify_actix::{ScruppEvent, UnixTime, Verified};
use serde::Deserialize;

use crate::support::{
    EVENT, NOW, PATH, Scripted, Seen, Turn, answer, genuine, keeps, scripted, signed, verify,
};

async fn next_chunk(payload: &mut Payload) -> Option<Bytes> {
    let chunk = poll_fn(|cx| Pin::new(&mut *payload).poll_next(cx)).await;
    chunk.map(Result::unwrap)
}

#[actix_web::test]
async fn hands_on_the_request_with_the_proof_and_the_very_bytes() {
    let body = Bytes::from(EVENT.to_vec());
    let seen = Seen::default();
    let request = signed(EVENT).set_payload(body.clone()).to_srv_request();
    let response = answer(&verify(), keeps(&seen), request).await.unwrap();

    assert_eq!(response.status(), StatusCode::OK);
    let mut request = seen.borrow_mut().pop().unwrap();
    assert_eq!(request.path(), PATH);
    let verified = *request.extensions().get::<Verified>().unwrap();
    assert_eq!(verified.time(), UnixTime::from_secs(NOW));
    assert_eq!(verified.account(), None);
    let mut payload = request.take_payload();
    let chunk = next_chunk(&mut payload).await.unwrap();
    assert_eq!(chunk.as_ptr(), body.as_ptr(), "not a copy");
    assert_eq!(chunk, body);
    assert_eq!(next_chunk(&mut payload).await, None);
}

/// A body in one piece, which says when it is dropped.
struct Watched {
    body: Option<Bytes>,
    is_dropped: Rc<Cell<bool>>,
}

impl Stream for Watched {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.body.take().map(Ok))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.is_dropped.set(true);
    }
}

#[actix_web::test]
async fn lets_go_of_the_payload_before_the_handler_runs() {
    let is_dropped = Rc::new(Cell::new(false));
    let body = Watched {
        body: Some(Bytes::from_static(EVENT)),
        is_dropped: Rc::clone(&is_dropped),
    };
    let body: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(body);
    let mut request = signed(EVENT).to_srv_request();
    request.set_payload(Payload::from(body));
    let handler = fn_service(move |request: ServiceRequest| {
        assert!(is_dropped.get());
        ready(Ok(request.into_response(HttpResponse::Ok())))
    });
    let response = answer(&verify(), handler, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[actix_web::test]
async fn hands_on_a_body_in_pieces_as_a_whole() {
    let pieces = EVENT
        .chunks(7)
        .flat_map(|piece| [Turn::Data(piece), Turn::Data(b"")]);
    let seen = Seen::default();
    let request = scripted(signed(EVENT), Scripted::new(pieces));
    answer(&verify(), keeps(&seen), request).await.unwrap();
    let mut payload = seen.borrow_mut().pop().unwrap().take_payload();
    assert_eq!(next_chunk(&mut payload).await.unwrap(), EVENT);
    assert_eq!(next_chunk(&mut payload).await, None);
}

#[actix_web::test]
async fn hands_on_an_empty_body() {
    let seen = Seen::default();
    answer(&verify(), keeps(&seen), genuine(b"").to_srv_request())
        .await
        .unwrap();
    let mut payload = seen.borrow_mut().pop().unwrap().take_payload();
    while let Some(chunk) = next_chunk(&mut payload).await {
        assert_eq!(chunk, "");
    }
}

#[derive(Deserialize)]
struct Task {
    process_id: u64,
}

/// An app that reads bodies in every way, with `limit` for the extractors.
macro_rules! app {
    ($limit:expr) => {
        test::init_service(
            App::new()
                .app_data(web::PayloadConfig::new($limit))
                .app_data(web::JsonConfig::default().limit($limit))
                .route("/bytes", web::post().to(async |body: web::Bytes| body))
                .route("/string", web::post().to(async |body: String| body))
                .route(
                    "/json",
                    web::post().to(async |task: web::Json<Task>| task.process_id.to_string()),
                )
                .route(
                    "/event",
                    web::post().to(async |ScruppEvent(event): ScruppEvent| {
                        event.process_id().unwrap_or_default().to_string()
                    }),
                )
                .route(
                    "/payload",
                    web::post().to(async |payload: web::Payload| {
                        let mut payload = payload.into_inner();
                        HttpResponse::Ok().body(next_chunk(&mut payload).await.unwrap())
                    }),
                )
                .wrap(verify()),
        )
        .await
    };
}

const ROOM: usize = 10_000;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A delivery that was compressed, and then signed as it is on the wire.
fn compressed(path: &str, content: &[u8]) -> TestRequest {
    let wire = gzip(content);
    signed(&wire)
        .uri(path)
        .insert_header(("content-type", "application/json"))
        .insert_header(("content-encoding", "gzip"))
        .set_payload(wire)
}

#[actix_web::test]
async fn verifies_what_was_on_the_wire_and_leaves_decompressing_to_the_handler() {
    let app = app!(ROOM);
    for (path, expected) in [
        ("/bytes", EVENT.to_vec()),
        ("/string", EVENT.to_vec()),
        ("/json", b"6666".to_vec()),
        ("/event", b"6666".to_vec()),
        ("/payload", gzip(EVENT)),
    ] {
        let response = test::call_service(&app, compressed(path, EVENT).to_request()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(test::read_body(response).await, expected, "{path}");
    }
}

#[actix_web::test]
async fn refuses_a_signature_over_what_is_not_on_the_wire() {
    let app = app!(ROOM);
    let request = signed(EVENT)
        .uri("/bytes")
        .insert_header(("content-encoding", "gzip"))
        .set_payload(gzip(EVENT));
    let response = test::call_service(&app, request.to_request()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn leaves_the_limits_of_the_extractors_in_force() {
    // Compressed, it is under the limit in both cases.
    let padded = [EVENT, &[b' '; 1000]].concat();
    assert!(gzip(&padded).len() < padded.len() - 1);
    for (room, expected) in [
        (padded.len() - 1, StatusCode::PAYLOAD_TOO_LARGE),
        (padded.len(), StatusCode::OK),
    ] {
        let app = app!(room);
        for path in ["/bytes", "/string", "/json", "/event"] {
            let plain = signed(&padded)
                .uri(path)
                .insert_header(("content-type", "application/json"))
                .set_payload(padded.clone());
            for request in [plain, compressed(path, &padded)] {
                let response = test::call_service(&app, request.to_request()).await;
                assert_eq!(response.status(), expected, "{path}");
            }
        }
    }
}

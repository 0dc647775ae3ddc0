//! The signature covers the bytes as they were sent. Extractors decompress, and keep their limits.

use core::{future::poll_fn, pin::Pin};
use std::io::Write;

use actix_web::{
    App, HttpResponse,
    dev::Payload,
    http::StatusCode,
    test::{self, TestRequest},
    web,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_core::Stream;
use scrupp_verify_actix::ScruppEvent;
use serde::Deserialize;

use crate::support::{EVENT, signed, verify};

async fn next_chunk(payload: &mut Payload) -> Option<Bytes> {
    let chunk = poll_fn(|cx| Pin::new(&mut *payload).poll_next(cx)).await;
    chunk.map(Result::unwrap)
}

#[derive(Deserialize)]
struct Task {
    process_id: u64,
}

/// Creates an app with a route for each kind of extractor, and this limit for all of them.
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

const LIMIT: usize = 10_000;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Creates a delivery whose body was compressed before it was signed.
fn compressed(path: &str, content: &[u8]) -> TestRequest {
    let wire = gzip(content);
    signed(&wire)
        .uri(path)
        .insert_header(("content-type", "application/json"))
        .insert_header(("content-encoding", "gzip"))
        .set_payload(wire)
}

#[actix_web::test]
async fn verifies_compressed_bytes_before_extractors_decompress_them() {
    let app = app!(LIMIT);
    for (path, expected) in [
        ("/bytes", EVENT.to_vec()),
        ("/string", EVENT.to_vec()),
        ("/json", b"6666".to_vec()),
        ("/payload", gzip(EVENT)),
    ] {
        let response = test::call_service(&app, compressed(path, EVENT).to_request()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(test::read_body(response).await, expected, "{path}");
    }
}

#[actix_web::test]
async fn rejects_signature_over_decompressed_bytes() {
    let app = app!(LIMIT);
    let request = signed(EVENT)
        .uri("/bytes")
        .insert_header(("content-encoding", "gzip"))
        .set_payload(gzip(EVENT));
    let response = test::call_service(&app, request.to_request()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn event_is_not_decompressed() {
    let app = app!(LIMIT);
    let response = test::call_service(&app, compressed("/event", EVENT).to_request()).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[actix_web::test]
async fn limits_of_extractors_do_not_apply_to_the_event() {
    let padded = [EVENT, &[b' '; 1000]].concat();
    let app = app!(100);
    let request = signed(&padded).uri("/event").set_payload(padded);
    let response = test::call_service(&app, request.to_request()).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[actix_web::test]
async fn limits_of_other_extractors_still_apply() {
    // The compressed body is within both limits.
    let padded = [EVENT, &[b' '; 1000]].concat();
    assert!(gzip(&padded).len() < padded.len() - 1);
    for (limit, expected) in [
        (padded.len() - 1, StatusCode::PAYLOAD_TOO_LARGE),
        (padded.len(), StatusCode::OK),
    ] {
        let app = app!(limit);
        for path in ["/bytes", "/string", "/json"] {
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

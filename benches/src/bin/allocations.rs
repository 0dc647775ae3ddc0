//! Counts allocations and copied body bytes. Prints `name<TAB>count` per line.
//!
//! Counting slows every allocation down, so the other benchmarks run in another program.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    future::poll_fn,
    hint::black_box,
    pin::Pin,
};
use std::{
    alloc::System,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpResponse, dev::Service as _, test, web};
use axum::{Router, routing::post};
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use scrupp_verify_benches::{
    delivery::{self, http_headers, sign},
    service::{Handler, call, request},
};
use scrupp_verify_core::{UnixTime, Verifier};
use scrupp_verify_tower::ScruppVerify;
use tower::{Layer, Service};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(
    unsafe_code,
    reason = "`GlobalAlloc` is an unsafe trait; this allocator only counts"
)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[actix_web::main]
async fn main() {
    assert_eq!(
        counted(|| drop(black_box(Box::new(1)))),
        1,
        "the allocator does not count"
    );
    println!("core_allocations\t{}", of_core());
    let body = Bytes::from(delivery::body(delivery::EVENT_BYTES));
    let headers = http_headers(&sign(&body), body.len());
    let layer = ScruppVerify::new(delivery::secret());

    let tower = of_service(&mut layer.layer(Handler), &headers, &body)
        - of_service(&mut Handler, &headers, &body);
    println!("tower_layer_allocations\t{tower}");

    let bare: Router = Router::new().route("/", post(|_: Bytes| async {}));
    let nothing = tower::layer::layer_fn(|service| service);
    let axum = of_axum(bare.clone().layer(layer.clone()), &headers, &body)
        - of_axum(bare.layer(nothing), &headers, &body);
    println!("tower_layer_allocations_in_axum\t{axum}");

    println!(
        "tower_body_bytes_copied\t{}",
        copied_by_tower(layer, &headers, &body)
    );
    println!(
        "actix_body_bytes_copied\t{}",
        copied_by_actix(&headers, &body).await
    );
}

fn counted<T>(run: impl FnOnce() -> T) -> u64 {
    let before = COUNT.get();
    let result = run();
    let count = COUNT.get() - before;
    drop(result);
    count
}

/// Counts the allocations of `verify`, `begin`, `update` and `finish`, for accepted and rejected deliveries.
fn of_core() -> u64 {
    let body = delivery::body(4096);
    let signed = sign(&body);
    let verifier = Verifier::new(delivery::secret());
    let now = signed.time();
    counted(|| {
        let accepted = verifier.verify(&signed, &body, now).is_ok();
        let rejected = verifier.verify(&signed, b"{}", now).is_err();
        let stale = verifier.begin(&signed, UnixTime::from_secs(1)).is_err();
        let chunks = verifier.begin(&signed, now).and_then(|mut delivery| {
            for chunk in body.chunks(100) {
                delivery.update(chunk)?;
            }
            delivery.finish()
        });
        assert!(accepted && rejected && stale && chunks.is_ok());
    })
}

/// Counts the allocations of the second call, without those of one-time preparation.
fn of_service<S, B>(service: &mut S, headers: &HeaderMap, body: &Bytes) -> u64
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: core::fmt::Debug>,
{
    let mut requests = [(); 2].map(|()| request(headers, Full::new(body.clone())));
    let mut counts = [0; 2];
    for (count, request) in counts.iter_mut().zip(requests.iter_mut()) {
        let request = core::mem::take(request);
        *count = counted(|| {
            let response = call(service, request);
            assert!(response.status().is_success());
            response
        });
    }
    counts[1]
}

fn of_axum(app: Router, headers: &HeaderMap, body: &Bytes) -> u64 {
    // Applies the layers once, because `axum::serve` applies them once per connection.
    let app = app.with_state(());
    of_service(&mut app.into_service::<Full<Bytes>>(), headers, body)
}

/// Returns the number of copied bytes: zero if the handler gets the buffer that was sent.
fn copied_by_tower(layer: ScruppVerify, headers: &HeaderMap, body: &Bytes) -> usize {
    let seen = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&seen);
    let inner = tower::service_fn(move |request: Request<scrupp_verify_tower::VerifiedBody>| {
        *kept.lock().expect("not poisoned") = Some(request.into_body().into_bytes());
        core::future::ready(Ok::<_, core::convert::Infallible>(Response::new(
            Full::new(Bytes::new()),
        )))
    });
    call(
        &mut layer.layer(inner),
        request(headers, Full::new(body.clone())),
    );
    let seen = seen.lock().expect("not poisoned").take();
    copied(&seen.expect("the handler was called"), body)
}

async fn copied_by_actix(headers: &HeaderMap, body: &Bytes) -> usize {
    let sent = body.clone();
    let handler = move |mut body: web::Payload| {
        let sent = sent.clone();
        async move {
            let chunk = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await;
            let seen = chunk.expect("a body").expect("a complete body");
            HttpResponse::Ok().body(copied(&seen, &sent).to_string())
        }
    };
    let app = test::init_service(
        App::new()
            .wrap(scrupp_verify_actix::ScruppVerify::new(delivery::secret()))
            .route("/", web::post().to(handler)),
    )
    .await;
    let mut request = test::TestRequest::post().uri("/").set_payload(body.clone());
    for (name, value) in headers {
        request = request.insert_header((name.as_str(), value.as_bytes()));
    }
    let response = app
        .call(request.to_request())
        .await
        .expect("the app responds");
    let copied = test::read_body(response).await;
    String::from_utf8_lossy(&copied).parse().expect("a number")
}

fn copied(seen: &Bytes, sent: &Bytes) -> usize {
    assert_eq!(seen, sent, "another body");
    if seen.as_ptr() == sent.as_ptr() {
        0
    } else {
        sent.len()
    }
}

//! What the check adds to a request in axum, without the server around it.

use axum::{Router, routing::post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::Full;
use scrupp_verify_benches::{
    by_hand,
    delivery::{self, SECRET, http_headers, sign},
    service::{call, request},
};
use scrupp_verify_tower::ScruppVerify;

use crate::{figure::Figure, rounds::Rounds};

const REPEATS: u32 = 20;

pub(crate) fn figures(count: u32) -> Vec<Figure> {
    let bare = Router::new().route("/", post(|_: Bytes| async {}));
    let layer = bare.clone().layer(ScruppVerify::new(delivery::secret()));
    let by_hand = Router::new().route("/", post(check_by_hand));
    let mut rounds = Rounds::default();
    for (name, app) in [("bare", bare), ("layer", layer), ("by hand", by_hand)] {
        // Layers are put around the handlers once, as `axum::serve` does it for a connection.
        let mut service = app.with_state(()).into_service::<Full<Bytes>>();
        let body = Bytes::from(delivery::body(delivery::EVENT_BYTES));
        let headers = http_headers(&sign(&body), body.len());
        rounds.add(name, REPEATS, move || {
            let request = request(&headers, Full::new(body.clone()));
            assert_eq!(call(&mut service, request).status(), StatusCode::OK);
        });
    }
    let times = rounds.run(count);
    let bare = times.median("bare");
    vec![
        Figure::reported(
            "nanoseconds_added_by_layer",
            (times.median("layer") - bare) * 1e9,
        ),
        Figure::reported(
            "nanoseconds_added_by_hand",
            (times.median("by hand") - bare) * 1e9,
        ),
    ]
}

async fn check_by_hand(headers: HeaderMap, body: Bytes) -> StatusCode {
    match by_hand::verify(SECRET.as_bytes(), &headers, &body) {
        true => StatusCode::OK,
        false => StatusCode::UNAUTHORIZED,
    }
}

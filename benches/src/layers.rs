//! Time that the check adds to a request in axum, without a server.

use core::{
    hint::black_box,
    mem,
    task::{Context, Poll},
};

use axum::{Router, routing::post};
use bytes::Bytes;
use futures_util::{TryFutureExt, future::MapOk};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{Either, Full};
use metrics::with_local_recorder;
use metrics_exporter_prometheus::PrometheusBuilder;
use scrupp_verify_benches::{
    by_hand,
    delivery::{self, SECRET, http_headers, sign},
    service::{call, request, runtime},
};
use scrupp_verify_metrics::MetricsObserver;
use scrupp_verify_tower::{ScruppVerify, UnixTime};
use sha2::block_api::compress256;
use tower::{Layer, Service};

use crate::{figure::Figure, rounds::Rounds};

const REPEATS: u32 = 20;

/// The minimum work of any check: reading the clock, and hashing the body and the outer block.
const LEAST: &str = "compressions and clock";

/// Number of blocks of a delivery of [`delivery::EVENT_BYTES`] and its outer hash.
const EVENT_BLOCKS: usize = 5;

pub(crate) fn figures(count: u32) -> Vec<Figure> {
    let runtime = runtime();
    let _entered = runtime.enter();
    let bare = Router::new().route("/", post(|_: Bytes| async {}));
    let layer = bare.clone().layer(ScruppVerify::new(delivery::secret()));
    let observed = |observer| {
        let layer = ScruppVerify::new(delivery::secret()).observe(observer);
        bare.clone().layer(layer)
    };
    let recorder = PrometheusBuilder::new().build_recorder();
    let recorded = observed(with_local_recorder(&recorder, MetricsObserver::new));
    let observed = observed(MetricsObserver::new());
    let by_hand = Router::new().route("/", post(check_by_hand));
    let mut rounds = Rounds::default();
    let any_layer = bare.clone().layer(AnyLayer);
    for (name, app) in [
        ("bare", bare),
        ("any layer", any_layer),
        ("layer", layer),
        ("observed", observed),
        ("recorded", recorded),
        ("hand", by_hand),
    ] {
        // Applies the layers once, because `axum::serve` applies them once per connection.
        let mut service = app.with_state(()).into_service::<Full<Bytes>>();
        let body = Bytes::from(delivery::body(delivery::EVENT_BYTES));
        let headers = http_headers(&sign(&body), body.len());
        rounds.add(name, REPEATS, move || {
            let request = request(&headers, Full::new(body.clone()));
            assert_eq!(call(&mut service, request).status(), StatusCode::OK);
        });
    }
    let mut state = [0; 8];
    rounds.add(LEAST, REPEATS, move || {
        black_box(UnixTime::now());
        compress256(black_box(&mut state), black_box(&[[7; 64]; EVENT_BLOCKS]));
    });
    let times = rounds.run(count);
    let bare = times.median("bare");
    let added = ["any layer", "layer", "hand"].map(|name| {
        let added = (times.median(name) - bare) * 1e9;
        Figure::reported(
            format!("nanoseconds_added_by_{}", name.replace(' ', "_")),
            added,
        )
    });
    let observer = [
        ("without_recorder", "observed"),
        ("with_recorder", "recorded"),
    ];
    let observer = observer.map(|(recorder, name)| {
        Figure::reported(
            format!("nanoseconds_added_by_observer_{recorder}"),
            (times.median(name) - times.median("layer")) * 1e9,
        )
    });
    let least = times.median("any layer") - bare + times.median(LEAST);
    let per_least = (times.median("layer") - bare) / least;
    let per_least = Figure::at_most(
        "added_by_layer_per_any_layer_compressions_and_clock",
        per_least,
        1.85,
    );
    let added = added.into_iter().chain(observer);
    added.chain([per_least]).collect()
}

async fn check_by_hand(headers: HeaderMap, body: Bytes) -> StatusCode {
    match by_hand::verify(SECRET.as_bytes(), &headers, &body) {
        true => StatusCode::OK,
        false => StatusCode::UNAUTHORIZED,
    }
}

/// Layer that does the least work: it waits for the body, may respond on its own, and passes on a proof.
///
/// The layer calls the ready service and leaves a clone in its place, wraps both bodies, and inserts a value.
#[derive(Clone)]
struct AnyLayer;

impl<S> Layer<S> for AnyLayer {
    type Service = AnyService<S>;

    fn layer(&self, inner: S) -> AnyService<S> {
        AnyService { inner }
    }
}

#[derive(Clone)]
struct AnyService<S> {
    inner: S,
}

/// Value with the size of `Verified`.
#[derive(Clone)]
#[expect(dead_code, reason = "only its size matters")]
struct Value([u64; 7]);

type Wrapped<B> = Either<B, Full<Bytes>>;

impl<S, B, R> Service<Request<B>> for AnyService<S>
where
    S: Service<Request<Wrapped<B>>, Response = Response<R>> + Clone,
    B: Body,
{
    type Response = Response<Wrapped<R>>;
    type Error = S::Error;
    type Future = MapOk<S::Future, fn(Response<R>) -> Response<Wrapped<R>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let next = self.inner.clone();
        let mut ready = mem::replace(&mut self.inner, next);
        request.extensions_mut().insert(Value([0; 7]));
        ready
            .call(request.map(Either::Left))
            .map_ok(|response| response.map(Either::Left))
    }
}

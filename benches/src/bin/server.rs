//! Servers for the load benchmarks. `server VARIANT` prints its port, and serves on one thread until it is killed.
//!
//! Each handler reads the whole body, and responds with 200 without a body.

use std::{error::Error, net::TcpListener};

use actix_web::{App, Error as ActixError, HttpRequest, HttpServer, error::ErrorUnauthorized, web};
use actix_web_lab::extract::{RequestSignature, RequestSignatureScheme};
use axum::{
    Router,
    body::Body,
    error_handling::HandleErrorLayer,
    http::{HeaderMap, Request, StatusCode},
    routing::post,
};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use scrupp_verify_benches::{
    by_hand,
    delivery::{self, SECRET},
    scheme,
};
use sha2::Sha256;
use tower::ServiceBuilder;
use tower_github_webhook::ValidateGitHubWebhookLayer;
use webhook_verify::tower::VerifyLayer;

/// Budget for 1,000 bodies at the limit, in bytes.
const BUFFER_BUDGET: usize = 1000 * 256 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let variant = std::env::args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    match variant.as_str() {
        "axum-bare" => axum(listener, bare()),
        "axum-layer" => {
            let layer = scrupp_verify_tower::ScruppVerify::new(delivery::secret())
                .buffer_budget(BUFFER_BUDGET);
            axum(listener, bare().layer(layer))
        }
        "axum-by-hand" => axum(listener, Router::new().route("/", post(check_by_hand))),
        "axum-webhook-verify" => axum(listener, with_webhook_verify()),
        "axum-github" => axum(
            listener,
            bare().layer(ValidateGitHubWebhookLayer::new(SECRET)),
        ),
        "actix-bare" => actix(listener, |app| {
            app.route("/", web::post().to(take_in_actix));
        }),
        "actix-middleware" => actix(listener, |app| {
            let middleware = scrupp_verify_actix::ScruppVerify::new(delivery::secret())
                .buffer_budget(BUFFER_BUDGET);
            let route = web::post().to(take_in_actix);
            app.service(web::resource("/").wrap(middleware).route(route));
        }),
        "actix-request-signature" => actix(listener, |app| {
            app.route("/", web::post().to(take_signed));
        }),
        _ => Err(format!("unknown variant {variant}").into()),
    }
}

fn axum(listener: TcpListener, app: Router) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    listener.set_nonblocking(true)?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(axum::serve(listener, app).await?)
    })
}

fn bare() -> Router {
    Router::new().route("/", post(take))
}

async fn take(_: Bytes) {}

async fn check_by_hand(headers: HeaderMap, body: Bytes) -> StatusCode {
    match by_hand::verify(SECRET.as_bytes(), &headers, &body) {
        true => StatusCode::OK,
        false => StatusCode::UNAUTHORIZED,
    }
}

/// Returns a router with the layer of `webhook-verify`.
///
/// `Router::layer` does not support the layer, because axum's body is not `Clone`, and the layer's error is not
/// `Infallible`. The layer gets `Bytes` instead, and an outer layer handles the error.
fn with_webhook_verify() -> Router {
    let secret = webhook_verify::Secret::new(SECRET);
    bare().layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(|_| async { StatusCode::BAD_REQUEST }))
            .layer(VerifyLayer::<Bytes>::new(
                scheme::for_webhook_verify(),
                secret,
            ))
            .map_request(|request: Request<Bytes>| request.map(Body::from)),
    )
}

fn actix(
    listener: TcpListener,
    configure: fn(&mut web::ServiceConfig),
) -> Result<(), Box<dyn Error>> {
    let server = move || HttpServer::new(move || App::new().configure(configure)).workers(1);
    Ok(actix_web::rt::System::new().block_on(async { server().listen(listener)?.run().await })?)
}

async fn take_in_actix(_: web::Bytes) -> &'static str {
    ""
}

/// Verifies Scrupp's scheme with `RequestSignature`, as that type's documentation shows.
async fn take_signed(body: RequestSignature<web::Bytes, Scrupp>) -> &'static str {
    drop(body);
    ""
}

struct Scrupp {
    mac: Hmac<Sha256>,
}

impl RequestSignatureScheme for Scrupp {
    type Signature = Hmac<Sha256>;
    type Error = ActixError;

    async fn init(request: &HttpRequest) -> Result<Self, ActixError> {
        let timestamp = request.headers().get("x-scrupp-timestamp");
        let timestamp = timestamp.ok_or_else(|| ErrorUnauthorized(""))?;
        by_hand::age(timestamp.to_str().unwrap_or_default())
            .filter(|age| *age <= 300)
            .ok_or_else(|| ErrorUnauthorized(""))?;
        let mut mac = Hmac::new_from_slice(SECRET.as_bytes()).map_err(ErrorUnauthorized)?;
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        Ok(Self { mac })
    }

    async fn consume_chunk(&mut self, _: &HttpRequest, chunk: Bytes) -> Result<(), ActixError> {
        self.mac.update(&chunk);
        Ok(())
    }

    async fn finalize(self, _: &HttpRequest) -> Result<Hmac<Sha256>, ActixError> {
        Ok(self.mac)
    }

    fn verify(mac: Hmac<Sha256>, request: &HttpRequest) -> Result<Hmac<Sha256>, ActixError> {
        let signature = request.headers().get("x-scrupp-signature");
        let signature = signature.and_then(|value| value.to_str().ok()?.strip_prefix("sha256="));
        let signature = hex::decode(signature.unwrap_or_default()).map_err(ErrorUnauthorized)?;
        mac.clone()
            .verify_slice(&signature)
            .map_err(ErrorUnauthorized)?;
        Ok(mac)
    }
}

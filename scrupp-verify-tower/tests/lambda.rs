//! The layer around an AWS Lambda function.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{
    fmt::Debug,
    sync::atomic::{AtomicUsize, Ordering},
};
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use lambda_http::{Body, Error, IntoResponse, RequestExt, lambda_runtime::Diagnostic, service_fn};
use scrupp_verify_tower::{
    Rejection, RejectionKind, ScruppVerify, Secret, Signer, UnixTime, Verified, VerifiedBody,
};
use tower::{Service, ServiceBuilder, ServiceExt};

const NOW: u64 = 1_735_471_800;
const EVENT: &str = r#"{"event":"task.completed","process_id":6666,"status":"completed"}"#;
/// The start of a gzip body, which is not UTF-8.
const BINARY: &[u8] = b"\x1f\x8b\x08\x00\xff\xfe";

fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

fn layer() -> ScruppVerify {
    ScruppVerify::new(secret()).clock(|| Some(UnixTime::from_secs(NOW)))
}

fn signed(body: Body, content: &[u8]) -> lambda_http::Request {
    let headers = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), content);
    let mut request = Request::post("/webhooks/scrupp");
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    request.body(body).unwrap()
}

/// Creates a function that counts its calls, and responds with the length of the body.
fn counting(
    calls: &Arc<AtomicUsize>,
) -> impl Service<
    Request<VerifiedBody>,
    Response = Response<Body>,
    Error = Error,
    Future: Send + 'static,
> + Clone
+ Send
+ use<> {
    let calls = Arc::clone(calls);
    service_fn(move |request: Request<VerifiedBody>| {
        calls.fetch_add(1, Ordering::Relaxed);
        async move {
            let verified = request.extensions().get::<Verified>().unwrap();
            assert_eq!(verified.time(), UnixTime::from_secs(NOW));
            let received = request.into_body().into_bytes().len();
            let response = Response::builder().header("x-received", received);
            Ok(response.body(Body::Empty)?)
        }
    })
}

/// Wraps the layer around that function, for `lambda_http::run`.
fn function(
    calls: &Arc<AtomicUsize>,
) -> impl Service<
    lambda_http::Request,
    Response: IntoResponse,
    Error: Into<Diagnostic> + Debug,
    Future: Send,
> + use<> {
    ServiceBuilder::new()
        .layer(layer())
        .service(counting(calls))
}

async fn respond(request: lambda_http::Request, calls: &Arc<AtomicUsize>) -> Response<Body> {
    let response = function(calls).oneshot(request).await;
    response.unwrap().into_response().await
}

#[tokio::test]
async fn verifies_text_bytes_and_an_empty_body() {
    for (body, content) in [
        (Body::Text(EVENT.to_owned()), EVENT.as_bytes()),
        (Body::Binary(EVENT.into()), EVENT.as_bytes()),
        (Body::Binary(BINARY.to_vec()), BINARY),
        (Body::Empty, b""),
    ] {
        let calls = Arc::default();
        let response = respond(signed(body, content), &calls).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(response.headers()["x-received"], content.len().to_string());
    }
}

#[tokio::test]
async fn rejects_forgery_with_a_problem_document_as_text() {
    for body in [
        Body::Text("forged".to_owned()),
        Body::Binary(BINARY.to_vec()),
        Body::Empty,
    ] {
        let calls = Arc::default();
        let response = respond(signed(body, EVENT.as_bytes()), &calls).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
        assert_eq!(*response.body(), Body::Text(rejection.problem().to_owned()));
        assert_eq!(calls.load(Ordering::Relaxed), 0);
    }
}

/// Returns a request in API Gateway's payload format 2.0.
fn from_gateway(headers: &[(&str, &str)], body: &str, is_base64_encoded: bool) -> String {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name:?}:{value:?}"))
        .collect();
    format!(
        r#"{{
            "version": "2.0", "routeKey": "$default", "rawPath": "/webhooks/scrupp",
            "rawQueryString": "", "headers": {{{}}},
            "requestContext": {{
                "accountId": "123456789012", "apiId": "api", "domainName": "localhost",
                "http": {{
                    "method": "POST", "path": "/webhooks/scrupp", "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1", "userAgent": "test"
                }},
                "requestId": "id", "routeKey": "$default", "stage": "$default",
                "time": "29/Dec/2024:11:30:00 +0000", "timeEpoch": 1735471800000
            }},
            "body": {body:?}, "isBase64Encoded": {is_base64_encoded}
        }}"#,
        headers.join(","),
    )
}

#[tokio::test]
async fn verifies_bytes_that_the_gateway_encoded() {
    for (content, encoded, is_base64_encoded) in
        [(EVENT.as_bytes(), EVENT, false), (BINARY, "H4sIAP/+", true)]
    {
        let signed = Signer::new(&secret()).sign(UnixTime::from_secs(NOW), content);
        for (encoded, status) in [
            (encoded, StatusCode::OK),
            ("AAAA", StatusCode::UNAUTHORIZED),
        ] {
            let json = from_gateway(&signed.pairs(), encoded, is_base64_encoded);
            let request = lambda_http::request::from_str(&json).unwrap();
            assert_eq!(request.raw_http_path(), "/webhooks/scrupp");
            let response = respond(request, &Arc::default()).await;
            assert_eq!(response.status(), status);
        }
    }
}

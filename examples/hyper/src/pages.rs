//! Responses to all requests that are not deliveries, for servers without a router.

use hyper::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};

use crate::deliveries;

/// Responds to `/healthz` and `/deliveries`, and to unexpected paths and methods with 404 and 405.
///
/// hyper omits the body of a response to `HEAD`.
pub(crate) fn respond<B>(request: &Request<B>) -> Response<String> {
    match (request.uri().path(), request.method()) {
        ("/healthz", &Method::GET | &Method::HEAD) => empty(StatusCode::OK),
        ("/deliveries", &Method::GET | &Method::HEAD) => {
            let json = serde_json::to_string(&deliveries::all()).unwrap_or_default();
            let mut response = Response::new(json);
            let value = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, value);
            response
        }
        ("/healthz" | "/deliveries", _) => allowed("GET, HEAD"),
        ("/webhooks/scrupp", _) => allowed("POST"),
        _ => empty(StatusCode::NOT_FOUND),
    }
}

fn allowed(methods: &'static str) -> Response<String> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    let value = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, value);
    response
}

/// Creates a response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<String> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

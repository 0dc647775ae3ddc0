//! A stand-in for Lambda, and for the gateways that send events to it.

use core::{convert::Infallible, time::Duration};
use std::{fs, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::timeout,
};
use tower::service_fn;

use crate::{Program, path};

/// Path of the API that invokes a function.
pub const INVOKE: &str = "/2015-03-31/functions/scrupp/invocations";

/// Largest request of API Gateway, in bytes.
const REQUEST_LIMIT: usize = 10 << 20;

/// Time limit for a request to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// A stand-in for Lambda with one instance of a function, and for a gateway that creates events from
/// requests.
struct Lambda {
    /// An event of the same kind, from the example's files.
    template: Value,
    base64: bool,
    invoke: mpsc::UnboundedSender<Invocation>,
    invoked: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// Sends the response to the event that the function is handling.
    running: Mutex<Option<oneshot::Sender<Value>>>,
}

/// An event, and the channel for its response.
type Invocation = (Value, oneshot::Sender<Value>);

/// Reads an event file of the example.
///
/// # Panics
///
/// Panics if the file does not exist.
#[must_use]
pub fn event(name: &str) -> Value {
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/lambda/events");
    let json = fs::read_to_string(format!("{events}/{name}.json")).expect("an event");
    serde_json::from_str(&json).expect("JSON")
}

/// Starts the stand-in with one instance of the function. Returns a program whose address is the
/// gateway's.
pub(super) async fn start(event: &str, base64: bool, settings: &[(&str, String)]) -> Program {
    let (invoke, invoked) = mpsc::unbounded_channel();
    let lambda = Arc::new(Lambda {
        template: self::event(event),
        base64,
        invoke,
        invoked: Mutex::new(invoked),
        running: Mutex::default(),
    });
    let service = service_fn(move |request| {
        let lambda = Arc::clone(&lambda);
        async move { Ok::<_, Infallible>(lambda.respond(request).await) }
    });
    let address = super::hyper::serve(service).await;
    let function = path("example-lambda");
    let command = format!(
        "echo listening on http://{address}; exec {}",
        function.display()
    );
    let environment = [
        ("AWS_LAMBDA_RUNTIME_API", address.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", "scrupp".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true".to_owned()),
    ];
    let settings = [&environment[..], settings].concat();
    Program::start_with("/bin/sh", &["-c", &command], &settings).await
}

impl Lambda {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, REQUEST_LIMIT).collect();
        let body = match timeout(REQUEST_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return response(&json!({"statusCode": 413})),
            Err(_) => return response(&json!({"statusCode": 408})),
        };
        match head
            .uri
            .path()
            .strip_prefix("/2018-06-01/runtime/invocation/")
        {
            Some("next") => self.next().await,
            Some(of) => {
                // The other path reports an error of the function.
                let is_response = of.ends_with("/response");
                let returned = is_response.then(|| serde_json::from_slice(&body).expect("JSON"));
                let returned = returned.unwrap_or_else(|| json!({"statusCode": 502}));
                let running = self.running.lock().await.take();
                let _ = running.expect("a running event").send(returned);
                response(&json!({"statusCode": 202}))
            }
            None if head.uri.path() == INVOKE => {
                let event = serde_json::from_slice(&body).expect("JSON");
                Response::new(self.run(event).await.to_string().into())
            }
            None => response(&self.run(self.event_of(&head, &body)).await),
        }
    }

    /// Sends the next event to the function, once there is one.
    async fn next(&self) -> Response<Full<Bytes>> {
        let next = self.invoked.lock().await.recv().await;
        let (event, respond) = next.expect("a sender");
        *self.running.lock().await = Some(respond);
        let response = Response::builder()
            .header("lambda-runtime-aws-request-id", "id")
            .header("lambda-runtime-deadline-ms", u64::MAX);
        response.body(event.to_string().into()).expect("a response")
    }

    /// Runs the function on an event, and returns its response.
    async fn run(&self, event: Value) -> Value {
        let (respond, responded) = oneshot::channel();
        self.invoke.send((event, respond)).expect("a receiver");
        responded.await.expect("a response")
    }

    /// Creates an event from a request, as AWS documents it.
    fn event_of(&self, head: &Parts, body: &[u8]) -> Value {
        let mut event = self.template.clone();
        let (method, path) = (json!(head.method.as_str()), json!(head.uri.path()));
        let is_v2 = event["version"] == "2.0";
        if is_v2 {
            event["requestContext"]["http"]["method"] = method;
            event["rawPath"] = path;
        } else {
            event["httpMethod"] = method;
            event["path"] = path;
        }
        let (mut single, mut multiple) = (Map::new(), Map::new());
        for name in head.headers.keys() {
            let values = head.headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            let values: Vec<_> = values.collect();
            let one = match is_v2 {
                true => values.join(","),
                false => values.last().map(ToString::to_string).unwrap_or_default(),
            };
            single.insert(name.to_string(), one.into());
            multiple.insert(name.to_string(), json!(values));
        }
        for (field, headers) in [("headers", single), ("multiValueHeaders", multiple)] {
            if let Some(field) = event.get_mut(field) {
                *field = headers.into();
            }
        }
        event["isBase64Encoded"] = self.base64.into();
        event["body"] = match self.base64 {
            true => BASE64.encode(body).into(),
            false => String::from_utf8_lossy(body).into(),
        };
        event
    }
}

/// Creates a response from the result of a function.
fn response(returned: &Value) -> Response<Full<Bytes>> {
    let status = returned["statusCode"]
        .as_u64()
        .and_then(|status| status.try_into().ok());
    let mut response = Response::builder().status::<u16>(status.expect("a status"));
    let headers = ["multiValueHeaders", "headers"].map(|field| returned[field].as_object());
    let headers = headers
        .into_iter()
        .flatten()
        .find(|headers| !headers.is_empty());
    for (name, value) in headers.into_iter().flatten() {
        let value = value.as_str().or(value[0].as_str()).expect("a value");
        response = response.header(name, value);
    }
    let body = returned["body"].as_str().unwrap_or_default();
    let body = match returned["isBase64Encoded"] == true {
        true => BASE64.decode(body).expect("Base64"),
        false => body.as_bytes().to_vec(),
    };
    response.body(body.into()).expect("a response")
}

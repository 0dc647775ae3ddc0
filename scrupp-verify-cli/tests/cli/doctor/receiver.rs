use std::{
    collections::HashSet,
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::SystemTime,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Builder};

use crate::{SECRET, signature};

/// Flaw of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    NoCheck,
    PrefixOfMac,
    Reserialized,
    SortedKeys,
    Stripped,
    TimestampOptional,
    TimestampNotSigned,
    NoWindow,
    NoFutureLimit,
    HourWindow,
    Milliseconds,
    FirstHeader,
    LastHeader,
    SuccessForRejected,
    ErrorForMissing,
    ReasonTold,
    SignatureTold,
    NoLimit,
    NoDedup,
    ConflictForDuplicate,
}

impl Flaw {
    /// All flaws, with the check that reports each.
    pub(super) const ALL: [(Self, &'static str); 20] = [
        (Self::NoCheck, "sig/another-secret"),
        (Self::PrefixOfMac, "sig/prefix"),
        (Self::Reserialized, "raw-body/reserialized"),
        (Self::SortedKeys, "raw-body/key-order"),
        (Self::Stripped, "raw-body/whitespace"),
        (Self::TimestampOptional, "time/not-signed"),
        (Self::TimestampNotSigned, "mac/body-only"),
        (Self::NoWindow, "time/stale"),
        (Self::NoFutureLimit, "time/future"),
        (Self::HourWindow, "time/window"),
        (Self::Milliseconds, "time/milliseconds"),
        (Self::FirstHeader, "header/two-signatures"),
        (Self::LastHeader, "header/two-signatures-reversed"),
        (Self::SuccessForRejected, "status/rejected-2xx"),
        (Self::ErrorForMissing, "status/rejected-5xx"),
        (Self::ReasonTold, "oracle/reason"),
        (Self::SignatureTold, "oracle/signature"),
        (Self::NoLimit, "limit/declared"),
        (Self::NoDedup, "once/repeated"),
        (Self::ConflictForDuplicate, "status/duplicate"),
    ];
}

/// Receiver with at most one flaw, on a separate thread.
pub(super) struct Receiver {
    pub(super) url: String,
    /// URL whose response is `{"count": n}`.
    pub(super) effects: String,
    state: Arc<State>,
}

struct State {
    flaw: Flaw,
    handled: Mutex<HashSet<String>>,
    count: Mutex<u64>,
}

impl Receiver {
    pub(super) fn start(flaw: Flaw) -> Self {
        let state = Arc::new(State {
            flaw,
            handled: Mutex::default(),
            count: Mutex::default(),
        });
        let (ready, address) = mpsc::channel();
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(serving, ready))
        });
        let address = address.recv().unwrap();
        Self {
            url: format!("http://{address}/webhooks/scrupp"),
            effects: format!("http://{address}/count"),
            state,
        }
    }

    pub(super) fn count(&self) -> u64 {
        *self.state.count.lock().unwrap()
    }
}

async fn serve(state: Arc<State>, ready: mpsc::Sender<SocketAddr>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready.send(listener.local_addr()?).unwrap();
    loop {
        let (stream, _) = listener.accept().await?;
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| state.respond(request));
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl State {
    async fn respond(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (status, text) = if request.uri().path() == "/count" {
            let count = *self.count.lock().unwrap();
            (200, json!({ "count": count }).to_string())
        } else {
            let responded = self.receive(request).await;
            responded.unwrap_or_else(|(status, reason)| self.reject(status, reason))
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status.try_into().unwrap();
        Ok(response)
    }

    fn reject(&self, status: u16, reason: String) -> (u16, String) {
        match self.flaw {
            Flaw::SuccessForRejected if status == 401 => (200, "OK".to_owned()),
            Flaw::ReasonTold | Flaw::SignatureTold => (status, reason),
            _ => (status, "rejected".to_owned()),
        }
    }

    async fn receive(&self, request: Request<Incoming>) -> Result<(u16, String), (u16, String)> {
        let rejected = |reason: &str| (401, reason.to_owned());
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return Err((405, "method".to_owned()));
        }
        let limit = if self.flaw == Flaw::NoLimit {
            usize::MAX
        } else {
            256 << 10
        };
        let declared = head.headers.get("content-length");
        let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > limit as u64) {
            return Err((413, "length".to_owned()));
        }
        let body = match Limited::new(body, limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                return Err((413, "length".to_owned()));
            }
            Err(_) => return Err((400, "body".to_owned())),
        };
        if self.flaw == Flaw::NoCheck {
            return Ok(self.handle(&body));
        }

        let signature_text = self.header(&head.headers, "x-scrupp-signature", true)?;
        let timestamp = match self.header(&head.headers, "x-scrupp-timestamp", false) {
            Err(_) if self.flaw == Flaw::TimestampOptional => None,
            timestamp => Some(timestamp?),
        };
        let content = self.content(timestamp.as_deref(), &body);
        let right = signature(SECRET.as_bytes(), &content);
        let given = signature_text.to_lowercase();
        let is_right = match self.flaw {
            Flaw::PrefixOfMac => given.get(..15) == right.get(..15),
            _ => given == right,
        };
        if !is_right {
            return Err(match self.flaw {
                Flaw::SignatureTold => rejected(&format!("expected {right}")),
                _ => rejected("signature"),
            });
        }
        if let Some(timestamp) = timestamp {
            let age = age(&timestamp, self.flaw).ok_or(rejected("timestamp"))?;
            let past = match self.flaw {
                Flaw::NoWindow => i128::MAX,
                Flaw::HourWindow => 3600,
                _ => 300,
            };
            let future = match self.flaw {
                Flaw::NoWindow | Flaw::NoFutureLimit => i128::MIN,
                _ => -60,
            };
            if !(future..=past).contains(&age) {
                return Err(rejected("window"));
            }
        }
        Ok(self.handle(&body))
    }

    /// Returns the value of a header that must occur exactly once.
    fn header(
        &self,
        headers: &hyper::HeaderMap,
        name: &str,
        is_signature: bool,
    ) -> Result<String, (u16, String)> {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        let value = match (self.flaw, values.as_slice()) {
            (Flaw::FirstHeader, [first, ..]) if is_signature => first,
            (Flaw::LastHeader, [.., last]) if is_signature => last,
            (_, [value]) => value,
            (Flaw::ErrorForMissing, []) => return Err((500, "error".to_owned())),
            _ => return Err((401, "header".to_owned())),
        };
        Ok(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// Returns the signed content.
    fn content(&self, timestamp: Option<&str>, body: &[u8]) -> Vec<u8> {
        let body = match self.flaw {
            Flaw::Stripped => body.trim_ascii().to_vec(),
            Flaw::Reserialized | Flaw::SortedKeys => self.written_again(body),
            _ => body.to_vec(),
        };
        match timestamp {
            Some(timestamp) if self.flaw != Flaw::TimestampNotSigned => {
                [timestamp.as_bytes(), b".", &body].concat()
            }
            _ => body,
        }
    }

    fn written_again(&self, body: &[u8]) -> Vec<u8> {
        let Ok(mut json) = serde_json::from_slice::<Value>(body) else {
            return body.to_vec();
        };
        if self.flaw == Flaw::SortedKeys {
            // This flaw changes only the order of keys, so it skips bodies with spaces.
            if body.windows(2).any(|pair| pair == b", ") {
                return body.to_vec();
            }
            json.sort_all_objects();
        }
        json.to_string().into_bytes()
    }

    fn handle(&self, body: &[u8]) -> (u16, String) {
        let event: Value = serde_json::from_slice(body).unwrap_or_default();
        let id = format!("{} {}", event["process_id"], event["status"]);
        let is_new = self.handled.lock().unwrap().insert(id);
        match (is_new, self.flaw) {
            (false, Flaw::ConflictForDuplicate) => return (409, "duplicate".to_owned()),
            (false, Flaw::NoDedup) | (true, _) => *self.count.lock().unwrap() += 1,
            (false, _) => {}
        }
        (200, "OK".to_owned())
    }
}

/// Returns the age of a timestamp, in seconds.
fn age(timestamp: &str, flaw: Flaw) -> Option<i128> {
    if timestamp.starts_with('0') || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut secs: i128 = timestamp.parse().ok()?;
    if flaw == Flaw::Milliseconds && secs > 100_000_000_000 {
        secs /= 1000;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Some(i128::from(now.ok()?.as_secs()) - secs)
}

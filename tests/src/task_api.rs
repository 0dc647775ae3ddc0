use core::{net::SocketAddr, time::Duration};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, Uri},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use tokio::{net::TcpListener, time::sleep};

use crate::SECRET;

/// A stand-in for the Task API of Scrupp, over HTTP/1.1. The key is [`SECRET`].
///
/// Each fetch of a task has a different result.
#[derive(Clone, Debug)]
pub struct TaskApi {
    address: SocketAddr,
    tasks: Arc<Mutex<Tasks>>,
}

/// A response in place of a task's result.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ScriptedResponse {
    /// A status, with the JSON of a running task as the body.
    Status(u16),
    /// A 503 with a `Retry-After` of this many seconds.
    RetryAfter(u64),
    /// The result, after a delay.
    Slow(Duration),
    /// A redirect to a URL.
    Redirect(String),
    /// A body.
    Body(Vec<u8>),
}

/// A request for a task's result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetch {
    /// The path.
    pub path: String,
    /// The place of the key in the request.
    pub key: Option<KeyIn>,
}

impl Fetch {
    /// Creates a record of a request for this path.
    #[must_use]
    pub fn new(path: &str, key: Option<KeyIn>) -> Self {
        let path = path.to_owned();
        Self { path, key }
    }
}

/// The place of a key in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the API documents two places")]
pub enum KeyIn {
    /// In `Authorization: Bearer`.
    Header,
    /// In `?api_key=`.
    Query,
}

#[derive(Debug, Default)]
struct Tasks {
    of_id: HashMap<u64, Task>,
    user_agents: BTreeSet<String>,
    responded: u64,
    fails_sometimes: bool,
}

#[derive(Debug, Default)]
struct Task {
    statuses: VecDeque<&'static str>,
    error: Option<&'static str>,
    scripted: VecDeque<ScriptedResponse>,
    fetches: Vec<Fetch>,
}

impl TaskApi {
    /// Starts the API on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let api = Self {
            address: listener.local_addr().expect("an address"),
            tasks: Arc::default(),
        };
        let app = Router::new()
            .route("/task/{id}/status", get(status))
            .route("/api/v1/task/{id}/status", get(status))
            .route("/task/{id}/data", get(data))
            .route("/api/v1/task/{id}/data", get(data))
            .with_state(api.clone());
        tokio::spawn(async { axum::serve(listener, app).await });
        api
    }

    /// Returns the origin of the URLs.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the responses to the next requests for a task's result.
    pub fn script_fetches(
        &self,
        process_id: u64,
        scripted: impl IntoIterator<Item = ScriptedResponse>,
    ) {
        let mut tasks = self.lock();
        tasks.task(process_id).scripted.extend(scripted);
    }

    /// Sets the statuses of a task for the next requests. The last one applies to all later requests.
    /// By default, the status is `completed`.
    pub fn statuses(&self, process_id: u64, statuses: impl IntoIterator<Item = &'static str>) {
        let mut tasks = self.lock();
        tasks.task(process_id).statuses.extend(statuses);
    }

    /// Sets the error of a failed task, as JSON. By default, the error is `"no such company"`.
    pub fn error(&self, process_id: u64, json: &'static str) {
        self.lock().task(process_id).error = Some(json);
    }

    /// Makes one in five requests for a result fail with 500, and delays one in seven.
    pub fn fail_sometimes(&self) {
        self.lock().fails_sometimes = true;
    }

    /// Returns the requests for a task's result.
    #[must_use]
    pub fn fetches(&self, process_id: u64) -> Vec<Fetch> {
        self.lock().task(process_id).fetches.clone()
    }

    /// Returns the user agents of all requests. A missing user agent is an empty string.
    #[must_use]
    pub fn user_agents(&self) -> BTreeSet<String> {
        self.lock().user_agents.clone()
    }

    /// Returns the result of the fetch with this number, counted from 1.
    #[must_use]
    pub fn result(process_id: u64, fetch: usize) -> String {
        format!(r#"{{"total":1,"items":[{{"task":{process_id},"fetch":{fetch}}}]}}"#)
    }

    fn lock(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the user agent, and returns the place of the valid key.
    fn key_of(&self, uri: &Uri, headers: &HeaderMap) -> Option<KeyIn> {
        let agent = headers.get(header::USER_AGENT);
        let agent = agent.map_or("", |agent| agent.to_str().expect("text"));
        self.lock().user_agents.insert(agent.to_owned());
        key_in(uri, headers)
    }

    /// Records a fetch, and returns its number and the response in place of its result.
    fn fetch(&self, process_id: u64, fetch: Fetch) -> (usize, Option<ScriptedResponse>) {
        let mut tasks = self.lock();
        tasks.responded += 1;
        let task = tasks.task(process_id);
        task.fetches.push(fetch);
        let number = task.fetches.len();
        let scripted = match task.scripted.pop_front() {
            None if tasks.fails_sometimes && tasks.responded.is_multiple_of(5) => {
                Some(ScriptedResponse::Status(500))
            }
            None if tasks.fails_sometimes && tasks.responded.is_multiple_of(7) => {
                Some(ScriptedResponse::Slow(Duration::from_millis(100)))
            }
            scripted => scripted,
        };
        (number, scripted)
    }
}

impl Tasks {
    fn task(&mut self, process_id: u64) -> &mut Task {
        self.of_id.entry(process_id).or_default()
    }
}

async fn status(
    State(api): State<TaskApi>,
    Path(id): Path<u64>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if api.key_of(&uri, &headers).is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let (status, error) = {
        let mut tasks = api.lock();
        let Task {
            statuses, error, ..
        } = tasks.task(id);
        let last = statuses.back().copied().unwrap_or("completed");
        let next = statuses.pop_front().unwrap_or(last);
        if statuses.is_empty() {
            statuses.push_back(last);
        }
        (next, error.unwrap_or(r#""no such company""#))
    };
    let error = match status {
        "failed" => format!(r#","error":{error}"#),
        _ => String::new(),
    };
    json(format!(
        r#"{{"process_id":{id},"status":"{status}"{error}}}"#
    ))
}

async fn data(
    State(api): State<TaskApi>,
    Path(id): Path<u64>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let key = api.key_of(&uri, &headers);
    let (number, scripted) = api.fetch(id, Fetch::new(uri.path(), key));
    if key.is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match scripted {
        Some(ScriptedResponse::Status(status)) => {
            let status = StatusCode::from_u16(status).expect("a status");
            (status, r#"{"status":"running"}"#).into_response()
        }
        Some(ScriptedResponse::RetryAfter(secs)) => {
            let retry_after = [(header::RETRY_AFTER, secs.to_string())];
            (StatusCode::SERVICE_UNAVAILABLE, retry_after).into_response()
        }
        Some(ScriptedResponse::Redirect(url)) => {
            (StatusCode::FOUND, [(header::LOCATION, url)]).into_response()
        }
        Some(ScriptedResponse::Body(body)) => body.into_response(),
        Some(ScriptedResponse::Slow(time)) => {
            sleep(time).await;
            json(TaskApi::result(id, number))
        }
        None => json(TaskApi::result(id, number)),
    }
}

/// Returns the place of the valid key, if the request has it exactly once.
fn key_in(uri: &Uri, headers: &HeaderMap) -> Option<KeyIn> {
    let bearer = format!("Bearer {SECRET}");
    let in_header = headers
        .get(header::AUTHORIZATION)
        .is_some_and(|value| *value == bearer);
    let in_query = uri.query() == Some(&format!("api_key={SECRET}"));
    match (in_header, in_query) {
        (true, false) => Some(KeyIn::Header),
        (false, true) => Some(KeyIn::Query),
        _ => None,
    }
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

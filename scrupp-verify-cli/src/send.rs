use core::{
    convert::Infallible,
    num::{NonZeroU32, NonZeroUsize},
    str::FromStr,
    time::Duration,
};
use std::{path::PathBuf, sync::Arc};

use http_body_util::channel::Channel;
use hyper::body::{Bytes, Frame};
use reqwest::{
    Body, Method, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use scrupp_verify_core::{SIGNATURE_HEADER, Signer, TIMESTAMP_HEADER};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::{self, Client},
    input,
    output::{Error, Format},
    secrets::Secrets,
};

/// Delays between the attempts of `--retry`, in seconds.
const DELAYS: [u64; 4] = [1, 2, 4, 8];

/// Signs a delivery as Scrupp does, and sends it.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify send http://127.0.0.1:3000/webhooks/scrupp
  scrupp-verify send URL --event failed --process-id 7 --set 'meta.external_id=\"row_1\"'
  scrupp-verify send URL event.json --repeat 20 --concurrent 5
  scrupp-verify send URL --tamper body --expect 401
  scrupp-verify send URL --age 310s --expect 401")]
pub(crate) struct Args {
    /// URL of the receiver
    url: Url,
    /// File with the body, or - for standard input. By default, an event built from the options
    #[arg(conflicts_with_all = ["event", "process_id", "set"])]
    file: Option<PathBuf>,
    /// Status of the event
    #[arg(long, value_enum, default_value = "completed")]
    event: Event,
    /// Process id of the event
    #[arg(long, default_value_t = 6666)]
    process_id: u64,
    /// Sets a field of the event, such as meta.source='"zapier"'
    #[arg(long, value_name = "FIELD=JSON", value_parser = parse_setting)]
    set: Vec<(String, Value)>,
    /// Signs with a timestamp of this age, such as 310s or 6m
    #[arg(long, value_parser = humantime::parse_duration)]
    age: Option<Duration>,
    /// Modifies the delivery after signing
    #[arg(long, value_enum)]
    tamper: Option<Tamper>,
    /// Sends the same delivery this many times
    #[arg(long, value_name = "TIMES", default_value = "1")]
    repeat: NonZeroU32,
    /// Sends at most this many deliveries at once
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    concurrent: NonZeroU32,
    /// Sends the body in chunks of this size, without Content-Length
    #[arg(long, value_name = "BYTES")]
    chunk: Option<NonZeroUsize>,
    /// Signs and sends again after 1, 2, 4 and 8 s, until the status is 2xx
    #[arg(long)]
    retry: bool,
    /// Expected status, such as 401, or class of statuses, such as 2xx
    #[arg(long, value_name = "STATUS", default_value = "2xx")]
    expect: Expect,
    #[command(flatten)]
    secrets: Secrets,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Event {
    Completed,
    Failed,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Tamper {
    Body,
    Signature,
    Timestamp,
}

/// Expected status or class of statuses.
#[derive(Clone, Copy)]
struct Expect {
    digits: u16,
    is_class: bool,
}

impl FromStr for Expect {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let class = text.strip_suffix("xx");
        let digits = class.unwrap_or(text).parse().ok();
        let bounds = if class.is_some() { 1..=5 } else { 100..=599 };
        let digits = digits.filter(|digits| bounds.contains(digits));
        Ok(Self {
            digits: digits.ok_or("expected a status, such as 401, or a class, such as 2xx")?,
            is_class: class.is_some(),
        })
    }
}

impl Expect {
    fn includes(self, status: StatusCode) -> bool {
        let divisor = if self.is_class { 100 } else { 1 };
        status.as_u16() / divisor == self.digits
    }
}

/// State that all tasks share.
struct Sender {
    client: Client,
    signer: Signer,
    body: Vec<u8>,
    age: Option<Duration>,
    tamper: Option<Tamper>,
    chunk: Option<NonZeroUsize>,
    retry: bool,
    expect: Expect,
    format: Format,
}

impl Args {
    pub(crate) async fn run(self, format: Format) -> Result<bool, Error> {
        let signer = self.secrets.signer()?;
        let body = match &self.file {
            Some(file) => input::read(file, &self.secrets)?,
            None => self.event()?,
        };
        let sender = Arc::new(Sender {
            client: Client::new(self.url)?,
            signer,
            body,
            age: self.age,
            tamper: self.tamper,
            chunk: self.chunk,
            retry: self.retry,
            expect: self.expect,
            format,
        });
        let signed = sender.sign()?;
        let concurrent = self.concurrent.get() as usize;
        let (mut tasks, mut responses) = (JoinSet::new(), Vec::new());
        for _ in 0..self.repeat.get() {
            // Each task holds a copy of the body, so a task starts only when its delivery is next.
            if tasks.len() == concurrent
                && let Some(ended) = tasks.join_next().await
            {
                responses.push(ended.map_err(|why| Error::failed("delivery", why))?);
            }
            tasks.spawn(Arc::clone(&sender).deliver(signed.clone()));
        }
        responses.extend(tasks.join_all().await);
        client::as_expected(responses)
    }

    /// Builds the event from the options.
    fn event(&self) -> Result<Vec<u8>, Error> {
        let id = self.process_id;
        let (event, url) = ("task.completed", "https://api.scrupp.com/api/v1/task");
        let mut event = match self.event {
            Event::Completed => json!({
                "event": event,
                "process_id": id,
                "status": "completed",
                "result_url": format!("{url}/{id}/data"),
            }),
            Event::Failed => json!({
                "event": event,
                "process_id": id,
                "status": "failed",
                "error": "example error",
            }),
        };
        for (path, value) in &self.set {
            let mut field = &mut event;
            for name in path.split('.') {
                if field.is_null() {
                    *field = json!({});
                }
                let object = field.as_object_mut();
                let object = object.ok_or_else(|| {
                    Error::Usage(format!("--set {path}: the parent is not an object"))
                })?;
                field = object.entry(name).or_insert(Value::Null);
            }
            *field = value.clone();
        }
        Ok(event.to_string().into_bytes())
    }
}

impl Sender {
    /// Sends a delivery. With `--retry`, signs and sends the delivery again until it is acknowledged.
    async fn deliver(
        self: Arc<Self>,
        mut signed: (HeaderMap, Vec<u8>),
    ) -> Result<Option<bool>, Error> {
        let mut delays = DELAYS.iter().filter(|_| self.retry);
        loop {
            let (headers, body) = signed;
            let body = in_chunks(body, self.chunk);
            let response = self.client.send(Method::POST, headers, body).await;
            let as_expected = client::report(
                &response,
                |status| self.expect.includes(status),
                self.format,
            )?;
            let is_acknowledged = response.is_ok_and(|response| response.status.is_success());
            match delays.next() {
                Some(secs) if !is_acknowledged => sleep(Duration::from_secs(*secs)).await,
                _ => return Ok(as_expected),
            }
            signed = self.sign()?;
        }
    }

    /// Signs the body, then applies `--tamper`.
    fn sign(&self) -> Result<(HeaderMap, Vec<u8>), Error> {
        let signed = self.signer.sign(input::time(self.age)?, &self.body);
        let mut timestamp = signed.timestamp().to_owned();
        let mut signature = signed.signature().to_owned();
        let mut body = self.body.clone();
        match self.tamper {
            Some(Tamper::Timestamp) => {
                timestamp = signed.time().as_secs().saturating_add(1).to_string();
            }
            Some(Tamper::Signature) => {
                let digit = if signature.pop() == Some('0') {
                    '1'
                } else {
                    '0'
                };
                signature.push(digit);
            }
            // Changes a digit, so that the body is still an event.
            Some(Tamper::Body) => match body.iter_mut().find(|byte| byte.is_ascii_digit()) {
                Some(digit) => *digit = if *digit == b'1' { b'2' } else { b'1' },
                None => body.push(b' '),
            },
            None => {}
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [(TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)] {
            let value = value.try_into().map_err(|why| Error::failed(name, why))?;
            headers.insert(name, value);
        }
        Ok((headers, body))
    }
}

/// Returns a body that is sent in chunks of this size or, without a size, with its length.
fn in_chunks(body: Vec<u8>, size: Option<NonZeroUsize>) -> Body {
    let Some(size) = size else {
        return body.into();
    };
    let (mut sender, chunked) = Channel::<Bytes, Infallible>::new(body.len().max(1));
    for chunk in body.chunks(size.get()) {
        // The channel has capacity for one chunk per byte.
        let _ = sender.try_send(Frame::data(Bytes::copy_from_slice(chunk)));
    }
    Body::wrap(chunked)
}

fn parse_setting(text: &str) -> Result<(String, Value), String> {
    let (path, json) = text.split_once('=').ok_or("expected FIELD=JSON")?;
    let value = serde_json::from_str(json).map_err(|why| format!("not JSON: {why}"))?;
    Ok((path.to_owned(), value))
}

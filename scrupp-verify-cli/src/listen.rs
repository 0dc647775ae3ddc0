use core::{net::SocketAddr, str::FromStr, time::Duration};
use std::{path::PathBuf, sync::Arc, time::SystemTime};

use http_body_util::BodyExt;
use hyper::{
    Request, Response,
    body::Incoming,
    http::{self, HeaderValue, request::Parts},
    service::service_fn,
};
use reqwest::{StatusCode, Url};
use scrupp_verify_core::{Keyring, Policy, Rejection, RejectionKind, UnixTime};
use serde_json::json;
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
    time::{sleep, timeout},
};

use crate::{
    client::Client,
    output::{BAD, Error, Format, GOOD, note, printable},
    recording::{Recorded, Recording},
    secrets::Secrets,
    server,
};

/// Maximum number of concurrent connections.
const CONNECTIONS: usize = 64;

/// Deadline for a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Receives deliveries, and prints a verdict for each.
///
/// The first line is `ready`, with the address. Rejected deliveries get the same responses as from a receiver
/// that uses scrupp-verify.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify listen
  scrupp-verify listen --record deliveries.ndjson --count 1
  scrupp-verify listen --forward-to http://127.0.0.1:8080/hook
  scrupp-verify listen --answer 503                           makes the sender retry
  scrupp-verify listen --bind 127.0.0.1:0 --until 30s --format json")]
pub(crate) struct Args {
    /// Address to listen on. Port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    bind: SocketAddr,
    /// Appends each delivery to this file, for verify and replay
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Forwards genuine deliveries to this URL, and responds with its status
    #[arg(long, value_name = "URL", conflicts_with = "answer")]
    forward_to: Option<Url>,
    /// Responds to genuine deliveries with this status, or with 200 after a delay, such as delay=3s
    #[arg(long, value_name = "STATUS|delay=TIME", default_value = "200")]
    answer: Answer,
    /// Exits after this many deliveries
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// Exits after this time, such as 30s. The exit code is 1 if there were fewer deliveries than --count
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    until: Option<Duration>,
    #[command(flatten)]
    secrets: Secrets,
}

/// Response to genuine deliveries.
#[derive(Clone, Copy)]
struct Answer {
    status: StatusCode,
    delay: Duration,
}

impl FromStr for Answer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (status, delay) = match text.strip_prefix("delay=") {
            Some(delay) => ("200", humantime::parse_duration(delay).ok()),
            None => (text, Some(Duration::ZERO)),
        };
        let status = status
            .parse()
            .ok()
            .filter(|status| (200..600).contains(status));
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let answer = status
            .zip(delay)
            .map(|(status, delay)| Self { status, delay });
        answer.ok_or("expected a status from 200 to 599, or a delay, such as delay=3s")
    }
}

/// Delivery that is recorded before the client gets the response.
struct Received {
    delivery: Recorded,
    rejection: Option<Rejection>,
    status: StatusCode,
    recorded: oneshot::Sender<()>,
}

impl Args {
    pub(crate) async fn run(self, format: Format) -> Result<bool, Error> {
        let (deliveries, mut received) = mpsc::channel(1);
        let receiver = Arc::new(Receiver {
            keyring: self.secrets.keyring()?,
            policy: Policy::default(),
            forward_to: self.forward_to.map(Client::new).transpose()?,
            answer: self.answer,
            deliveries,
        });
        let recording = self.record.as_deref().map(Recording::open).transpose();
        let mut recording = recording.map_err(|why| Error::failed("--record", why))?;
        let (listener, url) = server::listen(self.bind).await?;
        // Lets `main` poll its handler for interrupts before the first line is printed.
        yield_now().await;
        format.write(&format!("ready {url}"), &json!({ "ready": url }))?;

        let until = async {
            match self.until {
                Some(time) => sleep(time).await,
                None => core::future::pending().await,
            }
        };
        let ended = async move {
            tokio::pin!(until);
            let mut count = 0;
            while self.count.is_none_or(|most| count < most) {
                tokio::select! {
                    Some(received) = received.recv() => {
                        if let Some(recording) = &mut recording {
                            let added = recording.add(&received.delivery);
                            added.map_err(|why| Error::failed("--record", why))?;
                        }
                        show(&received, format)?;
                        let _ = received.recorded.send(());
                        count += 1;
                    }
                    () = &mut until => break,
                }
            }
            // Later requests get a 503, because `received` is dropped.
            Ok(self.count.is_none_or(|most| count >= most))
        };
        let respond = service_fn(move |request| Arc::clone(&receiver).respond(request));
        server::serve(listener, CONNECTIONS, respond, ended).await
    }
}

fn show(received: &Received, format: Format) -> Result<(), Error> {
    let Received {
        delivery,
        rejection,
        status,
        ..
    } = received;
    let verdict = match rejection {
        None => format!("{GOOD}verified{GOOD:#}"),
        Some(rejection) => format!("{BAD}rejected{BAD:#}: {}: {rejection}", delivery.verdict),
    };
    let (method, target) = (&delivery.method, printable(&delivery.target));
    let (time, bytes, code) = (&delivery.received_at, delivery.body.len(), status.as_u16());
    let text = format!("{time} {method} {target}, {bytes} bytes, {code}: {verdict}");
    let json = json!({
        "received_at": time,
        "method": method,
        "target": delivery.target,
        "body_bytes": bytes,
        "verified": rejection.is_none(),
        "reason": rejection.map(|rejection| rejection.kind().as_str()),
        "status": code,
    });
    format.write(&text, &json)
}

/// State that all connections share.
struct Receiver {
    keyring: Keyring,
    policy: Policy,
    forward_to: Option<Client>,
    answer: Answer,
    deliveries: mpsc::Sender<Received>,
}

impl Receiver {
    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> http::Result<Response<String>> {
        let (head, body) = request.into_parts();
        let received_at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let now = UnixTime::now().ok_or(RejectionKind::ClockUnavailable);
        let (body, fault) = read(body, self.policy.body_limit).await;
        let rejection = self.verdict(&head, &body, now, fault).err();
        let status = match rejection {
            Some(rejection) => StatusCode::from_u16(rejection.status())?,
            None => self.handle(&head, body.clone()).await,
        };
        let value = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter();
        let delivery = Recorded {
            received_at,
            method: head.method.to_string(),
            target: head.uri.to_string(),
            headers: headers
                .map(|(name, text)| (name.to_string(), value(text)))
                .collect(),
            body,
            verdict: rejection
                .map_or("verified", |rejection| rejection.kind().as_str())
                .to_owned(),
        };
        let (recorded, is_recorded) = oneshot::channel();
        let received = Received {
            delivery,
            rejection,
            status,
            recorded,
        };
        let _ = self.deliveries.send(received).await;
        if is_recorded.await.is_err() {
            return response(StatusCode::SERVICE_UNAVAILABLE, None);
        }
        if rejection.is_none() {
            sleep(self.answer.delay).await;
        }
        response(status, rejection)
    }

    fn verdict(
        &self,
        head: &Parts,
        body: &[u8],
        now: Result<UnixTime, RejectionKind>,
        fault: Option<RejectionKind>,
    ) -> Result<(), Rejection> {
        let headers = head.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let head = self.policy.check_head(&headers[..], now?)?;
        match fault {
            Some(fault) => Err(fault.into()),
            None => head.verify(&self.keyring, body).map(drop),
        }
    }

    /// Returns the status of the response to a genuine delivery.
    async fn handle(&self, head: &Parts, body: Vec<u8>) -> StatusCode {
        let Some(target) = &self.forward_to else {
            return self.answer.status;
        };
        match target
            .send(head.method.clone(), head.headers.clone(), body)
            .await
        {
            // Redirects are not followed, and the sender must not follow them either.
            Ok(target) if target.status.is_redirection() => {
                note(&format!("--forward-to: {} is not followed", target.status));
                StatusCode::BAD_GATEWAY
            }
            Ok(target) => target.status,
            Err(why) => {
                note(&format!("--forward-to: no response: {}", printable(&why)));
                StatusCode::BAD_GATEWAY
            }
        }
    }
}

/// Reads a body up to the limit, and drops the rest. Returns the bytes, and the reason if they are incomplete.
async fn read(mut body: Incoming, limit: usize) -> (Vec<u8>, Option<RejectionKind>) {
    let (mut bytes, mut fault) = (Vec::new(), None);
    let reading = async {
        while let Some(frame) = body.frame().await {
            // Trailers are not signed, so they count as an empty chunk.
            let chunk = frame?.into_data().unwrap_or_default();
            let room = limit.saturating_sub(bytes.len());
            bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if chunk.len() > room {
                fault = Some(RejectionKind::BodyTooLarge);
            }
        }
        Ok::<_, hyper::Error>(())
    };
    let read = timeout(BODY_TIMEOUT, reading).await;
    let fault = match read {
        _ if fault.is_some() => fault,
        Ok(Ok(())) => None,
        Ok(Err(_)) => Some(RejectionKind::BodyBroken),
        Err(_) => Some(RejectionKind::BodyTimeout),
    };
    (bytes, fault)
}

fn response(status: StatusCode, rejection: Option<Rejection>) -> http::Result<Response<String>> {
    let (headers, body) = match rejection {
        Some(rejection) => (rejection.headers(), rejection.problem()),
        None => (&[][..], ""),
    };
    let response = Response::builder().status(status);
    let with = |response: http::response::Builder, &(name, value): &_| response.header(name, value);
    headers.iter().fold(response, with).body(body.to_owned())
}

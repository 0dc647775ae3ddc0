use core::{ops::RangeInclusive, time::Duration};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use reqwest::{Method, Url, header::HeaderMap};
use scrupp_verify_cli::{
    Delivery, Expected, Group, Level, Recipient, Response, Row, SIGNATURE, Step, http1_rows,
};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::{Client, is_loopback, with_causes},
    doctor::{
        endpoint::Endpoint,
        report::{Finding, Outcome},
    },
    output::{Error, printable},
};

/// Number of requests of `once/concurrent`.
const CONCURRENT: usize = 10;

/// Largest tested difference between a timestamp and the clock, in seconds.
const FURTHEST: u64 = 86_400;

/// Time limit for a response. Senders wait a few seconds.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for a response to an incomplete request.
const SLOW_TIMEOUT: Duration = Duration::from_secs(25);

/// Age at which the deliveries of the table are signed again.
const SIGNED_FOR: Duration = Duration::from_secs(5);

/// Shortest wait for an effect that must not occur.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// Initial value of [`Effects::lag`].
const FIRST_LAG: Duration = Duration::from_millis(150);

/// Time limit for the effect of a delivery to be counted.
const EFFECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Test of one property of a receiver.
pub(crate) struct Check {
    pub(crate) id: &'static str,
    level: Level,
    pub(crate) group: Group,
    /// True if a correct receiver may accept a delivery of this check.
    pub(crate) is_genuine: bool,
    pub(crate) sent: &'static str,
    expected: &'static str,
    /// Ids of the checks whose failure explains a failure of this check.
    pub(crate) after: Vec<&'static str>,
    test: Test,
}

enum Test {
    /// Sends the delivery of a row.
    Row(Box<Row>),
    /// Checks that the response to a forged delivery does not contain the valid signature.
    Echo(u64),
    /// Sends an acknowledged delivery again.
    Duplicate(u64),
    /// Counts how often a repeated delivery is handled.
    Once(u64, Again),
    /// Measures the largest accepted age of a timestamp, or how far ahead it may be.
    Window(u64, Side),
    /// True if the URL is an https or loopback URL.
    Tls(bool),
    /// Checks that no rejection was a 2xx.
    NoSuccess,
    /// Checks that no rejection was a 5xx.
    NoServerError,
    /// Checks that each rejected delivery got a response.
    Response,
    /// Checks that responses do not depend on the reason for the rejection.
    OneReason,
}

#[derive(Clone, Copy)]
enum Again {
    Same,
    SignedAnew,
    AtOnce,
}

#[derive(Clone, Copy)]
enum Side {
    Past,
    Future,
}

/// Returns all checks, in the order in which they are reported.
pub(crate) fn all(recipient: &Arc<Recipient>, url: &Url, process_id_base: u64) -> Vec<Check> {
    let rows = http1_rows(recipient, process_id_base);
    let mut process_id = process_id_base + rows.len() as u64;
    let mut checks: Vec<_> = rows.into_iter().map(Check::of_row).collect();
    let mut add = |id, level, sent, expected, after: &[_], test: &dyn Fn(u64) -> Test| {
        let test = test(process_id);
        process_id += 100;
        let is_genuine = matches!(test, Test::Duplicate(_) | Test::Once(..) | Test::Window(..));
        checks.push(Check {
            id,
            level,
            group: Group::Basic,
            is_genuine,
            sent,
            expected,
            after: after.to_vec(),
            test,
        });
    };
    let genuine = "genuine/completed";
    let sent = "a duplicate of an acknowledged delivery";
    let twice = "handled once";
    add(
        "status/duplicate",
        Level::Must,
        sent,
        "2xx",
        &[genuine],
        &Test::Duplicate,
    );
    let sent = "an acknowledged delivery, sent again";
    add(
        "once/repeated",
        Level::Must,
        sent,
        twice,
        &[genuine],
        &|id| Test::Once(id, Again::Same),
    );
    let sent = "an acknowledged event, signed again";
    let after = [genuine, "once/repeated"];
    add(
        "once/signed-anew",
        Level::Should,
        sent,
        twice,
        &after,
        &|id| Test::Once(id, Again::SignedAnew),
    );
    let sent = "ten copies of a delivery at once";
    add(
        "once/concurrent",
        Level::Should,
        sent,
        twice,
        &after,
        &|id| Test::Once(id, Again::AtOnce),
    );
    let sent = "deliveries up to a day old";
    let after = [genuine, "time/stale", "time/future"];
    add(
        "time/past-window",
        Level::Info,
        sent,
        "300 s",
        &after,
        &|id| Test::Window(id, Side::Past),
    );
    let sent = "deliveries up to a day ahead";
    add(
        "time/future-window",
        Level::Info,
        sent,
        "60 s",
        &after,
        &|id| Test::Window(id, Side::Future),
    );
    let sent = "signed with another secret";
    let expected = "a response without the valid signature";
    add(
        "oracle/signature",
        Level::Must,
        sent,
        expected,
        &[],
        &Test::Echo,
    );
    let is_safe = url.scheme() == "https" || is_loopback(url);
    add("tls/https", Level::Should, "the URL", "https", &[], &|_| {
        Test::Tls(is_safe)
    });
    let sent = "the rejected deliveries";
    let expected = "no 2xx";
    add(
        "status/rejected-2xx",
        Level::Must,
        sent,
        expected,
        &[],
        &|_| Test::NoSuccess,
    );
    let expected = "no 5xx";
    add(
        "status/rejected-5xx",
        Level::Should,
        sent,
        expected,
        &[],
        &|_| Test::NoServerError,
    );
    let expected = "a response";
    add(
        "status/no-response",
        Level::Should,
        sent,
        expected,
        &[],
        &|_| Test::Response,
    );
    let expected = "the same response to every rejected delivery";
    let after = ["oracle/signature"];
    add(
        "oracle/reason",
        Level::Should,
        sent,
        expected,
        &after,
        &|_| Test::OneReason,
    );
    checks
}

impl Check {
    fn of_row(row: Row) -> Self {
        let is_rejected = matches!(
            row.expected,
            Expected::Rejected(_) | Expected::RejectedOrClosed(_)
        );
        Self {
            id: row.id,
            level: row.level,
            group: row.group,
            // A correct receiver may accept a delivery of level INFO.
            is_genuine: !is_rejected || row.level == Level::Info,
            sent: row.sent,
            expected: match row.expected {
                Expected::Handled(_) => "2xx",
                Expected::Rejected(413) | Expected::RejectedOrClosed(413) => "413",
                Expected::HandledOrNot(_) => "any response",
                _ => "no 2xx",
            },
            after: row.after.clone(),
            test: Test::Row(Box::new(row)),
        }
    }

    /// Returns true if the check evaluates earlier responses, and sends nothing.
    pub(crate) fn looks_back(&self) -> bool {
        matches!(
            self.test,
            Test::NoSuccess | Test::NoServerError | Test::Response | Test::OneReason
        )
    }

    pub(crate) fn level(&self) -> &'static str {
        level(self.level)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "id": self.id, "level": self.level(), "sent": self.sent })
    }

    /// Returns the finding of a check whose result another check explains.
    pub(crate) fn skip(self, explained_by: &str) -> Finding {
        self.finding(
            Outcome::Skip,
            format!("not sent: see {explained_by}"),
            Duration::ZERO,
        )
    }

    fn finding(self, outcome: Outcome, got: String, time: Duration) -> Finding {
        // A check of level INFO cannot fail.
        let outcome = match (self.level, outcome) {
            (Level::Info, Outcome::Pass | Outcome::Fail) => Outcome::Info,
            (_, outcome) => outcome,
        };
        Finding {
            id: self.id,
            level: self.level(),
            is_must: self.level == Level::Must,
            outcome,
            sent: self.sent,
            expected: self.expected,
            got,
            time,
        }
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
        Level::Info => "INFO",
    }
}

/// Number of handled deliveries, as reported by the receiver.
pub(crate) struct Effects {
    client: Client,
    pointer: String,
    /// Time that the latest effect took to be counted.
    lag: Mutex<Duration>,
}

impl Effects {
    pub(crate) async fn new(url: Url, pointer: &str) -> Result<Self, Error> {
        let effects = Self {
            client: Client::new(url)?,
            pointer: pointer.to_owned(),
            lag: Mutex::new(FIRST_LAG),
        };
        let count = effects.count().await;
        count.map_err(effects_failed)?;
        Ok(effects)
    }

    async fn count(&self) -> Result<u64, String> {
        let response = self.client.begin(Method::GET, HeaderMap::new(), "").await;
        let body = response
            .map_err(with_causes)?
            .bytes()
            .await
            .map_err(with_causes)?;
        let json: Value = serde_json::from_slice(&body).map_err(|why| why.to_string())?;
        let value = json.pointer(&self.pointer);
        let length = value
            .and_then(Value::as_array)
            .map(|list| list.len() as u64);
        let count = length.or(value.and_then(Value::as_u64));
        count.ok_or_else(|| "neither a number nor a list at --effects-pointer".to_owned())
    }

    /// Waits until an effect should have been counted, because a receiver may respond before it handles the delivery.
    async fn pause(&self) {
        let lag = *self.lag.lock().unwrap_or_else(PoisonError::into_inner);
        sleep(SHORTEST_PAUSE.max(2 * lag)).await;
    }

    /// Waits for an effect and for any that follow it. Returns the number of effects since `before`.
    async fn since(&self, before: u64) -> Result<u64, String> {
        let started = Instant::now();
        let mut count = self.count().await?;
        while count == before && started.elapsed() < EFFECT_TIMEOUT {
            sleep(Duration::from_millis(5)).await;
            count = self.count().await?;
        }
        if count != before {
            *self.lag.lock().unwrap_or_else(PoisonError::into_inner) = started.elapsed();
        }
        loop {
            self.pause().await;
            let next = self.count().await?;
            if next == count {
                return Ok(count.saturating_sub(before));
            }
            count = next;
        }
    }
}

/// Runs checks against a receiver.
pub(crate) struct Doctor {
    endpoint: Endpoint,
    recipient: Arc<Recipient>,
    effects: Option<Effects>,
    /// Rows of the table, and the time at which they were signed.
    signed: Mutex<(Instant, Vec<Row>)>,
    /// Responses to rejected deliveries, by id. `None` if the receiver closed the connection.
    rejections: Mutex<Vec<(&'static str, Option<Response>)>>,
}

/// Outcome of a check, with its description.
type Found = Result<(Outcome, String), Error>;

fn judged(is_expected: bool, got: impl Into<String>) -> (Outcome, String) {
    match is_expected {
        true => (Outcome::Pass, got.into()),
        false => (Outcome::Fail, got.into()),
    }
}

impl Doctor {
    pub(crate) fn new(
        endpoint: Endpoint,
        recipient: Arc<Recipient>,
        effects: Option<Effects>,
    ) -> Self {
        Self {
            endpoint,
            recipient,
            effects,
            signed: Mutex::new((Instant::now(), Vec::new())),
            rejections: Mutex::default(),
        }
    }

    /// Sends a forged delivery. Fails if the URL has no receiver.
    pub(crate) async fn find_receiver(&self, process_id: u64) -> Result<(), Error> {
        let mut delivery = Delivery::new(&self.recipient, process_id);
        delivery.forge();
        let response = self.send(&delivery).await?;
        let why = match &response {
            Ok(response) => match response.status {
                301..=308 => {
                    let location = response.header("location").unwrap_or_default();
                    let location = printable(location);
                    format!("{} to {location}, which is not followed", response.status)
                }
                404 | 405 => response.status.to_string(),
                _ => return Ok(()),
            },
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(why) if why.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(why) => why.to_string(),
        };
        Err(Error::failed("there is no receiver at this URL", why))
    }

    pub(crate) async fn run(self: &Arc<Self>, check: Check) -> Result<Finding, Error> {
        let started = Instant::now();
        let (outcome, got) = match &check.test {
            Test::Row(row) => self.row(row).await?,
            Test::Echo(process_id) => self.echo(*process_id).await?,
            Test::Duplicate(process_id) => self.duplicate(*process_id).await?,
            Test::Once(process_id, again) => self.once(*process_id, *again).await?,
            Test::Window(process_id, side) => self.window(*process_id, *side).await?,
            Test::Tls(true) => judged(true, "https, or a loopback address"),
            Test::Tls(false) => judged(false, "http"),
            Test::NoSuccess => self.none_rejected_with(200..=299),
            Test::NoServerError => self.none_rejected_with(500..=599),
            Test::Response => self.none_closed(),
            Test::OneReason => self.one_reason(),
        };
        Ok(check.finding(outcome, got, started.elapsed()))
    }

    /// Returns the steps of a row. Signs the table again if it is old, because a run may take minutes.
    fn steps(&self, row: &Row) -> Vec<Step> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if signed.1.is_empty() || signed.0.elapsed() > SIGNED_FOR {
            let first = row.process_id - row.index as u64;
            *signed = (Instant::now(), http1_rows(&self.recipient, first));
        }
        let row = signed.1.get(row.index).unwrap_or(row);
        row.steps.clone()
    }

    async fn row(&self, row: &Row) -> Found {
        let before = self.count().await?;
        let limit = match row.group {
            Group::Slow | Group::Raw => SLOW_TIMEOUT,
            _ => RESPONSE_TIMEOUT,
        };
        let response = self.endpoint.exchange(&self.steps(row), limit).await?;
        let mut is_expected = row.expected.includes(&response);
        let mut got = describe(&response);
        if let (Some(effects), Some(before)) = (&self.effects, before) {
            let handled = match row.expected {
                Expected::Handled(_) if is_success(&response) => effects.since(before).await,
                _ => {
                    if is_success(&response) {
                        effects.pause().await;
                    }
                    let count = effects.count().await;
                    count.map(|count| count.saturating_sub(before))
                }
            };
            let handled = handled.map_err(effects_failed)?;
            is_expected = match row.expected {
                Expected::Handled(_) => is_expected && handled == 1,
                Expected::HandledOrNot(_) => is_expected && handled <= 1,
                // `status/rejected-2xx` checks the status.
                _ => (is_expected || is_success(&response)) && handled == 0,
            };
            got = format!("{got}, handled {}", times(handled));
        }
        if is_expected && row.expected == Expected::Rejected(401) && row.level != Level::Info {
            self.rejections().push((row.id, response.ok()));
        }
        Ok(judged(is_expected, got))
    }

    async fn echo(&self, process_id: u64) -> Found {
        let mut delivery = Delivery::new(&self.recipient, process_id);
        let right = delivery.value(SIGNATURE).replace("sha256=", "");
        delivery.forge();
        let response = self.send(&delivery).await?;
        let mut text = String::new();
        if let Ok(response) = &response {
            text = String::from_utf8_lossy(&response.body).to_lowercase();
            for (_, value) in &response.headers {
                text.push_str(&value.to_lowercase());
            }
        }
        match text.contains(&right) {
            true => Ok(judged(false, "the response contains the valid signature")),
            false => Ok(judged(
                true,
                format!("{}, without the valid signature", describe(&response)),
            )),
        }
    }

    async fn duplicate(&self, process_id: u64) -> Found {
        let before = self.count().await?;
        let delivery = Delivery::new(&self.recipient, process_id);
        let first = self.send(&delivery).await?;
        let second = self.send(&delivery).await?;
        self.settle(before).await?;
        let got = format!("{}, then {}", describe(&first), describe(&second));
        Ok(judged(is_success(&second), got))
    }

    async fn once(self: &Arc<Self>, process_id: u64, again: Again) -> Found {
        let (Some(effects), Some(before)) = (&self.effects, self.count().await?) else {
            let why = "needs --effects-url";
            return Ok((Outcome::Skip, why.to_owned()));
        };
        let mut delivery = Delivery::new(&self.recipient, process_id);
        if let Again::AtOnce = again {
            let mut sending = JoinSet::new();
            for _ in 0..CONCURRENT {
                let (doctor, delivery) = (Arc::clone(self), delivery.clone());
                sending.spawn(async move { doctor.send(&delivery).await });
            }
            for sent in sending.join_all().await {
                let _ = sent?;
            }
        } else {
            let _ = self.send(&delivery).await?;
            if let Again::SignedAnew = again {
                delivery.sign_at(delivery.now - 1);
            }
            let _ = self.send(&delivery).await?;
        }
        let handled = effects.since(before).await.map_err(effects_failed)?;
        Ok(judged(handled == 1, format!("handled {}", times(handled))))
    }

    /// Finds the largest accepted age of a timestamp, or how far ahead it may be, by bisection.
    async fn window(&self, first_process_id: u64, side: Side) -> Found {
        let before = self.count().await?;
        let (mut accepted, mut rejected) = (0, FURTHEST);
        let mut process_id = first_process_id;
        while rejected - accepted > 1 {
            let middle = (accepted + rejected) / 2;
            let mut delivery = Delivery::new(&self.recipient, process_id);
            process_id += 1;
            delivery.sign_at(match side {
                Side::Past => delivery.now - middle,
                Side::Future => delivery.now + middle,
            });
            match is_success(&self.send(&delivery).await?) {
                true => accepted = middle,
                false => rejected = middle,
            }
        }
        self.settle(before).await?;
        Ok(judged(true, format!("{accepted} s")))
    }

    async fn send(&self, delivery: &Delivery) -> Result<io::Result<Response>, Error> {
        let steps = [Step::Send(delivery.request())];
        self.endpoint.exchange(&steps, RESPONSE_TIMEOUT).await
    }

    async fn count(&self) -> Result<Option<u64>, Error> {
        match &self.effects {
            Some(effects) => effects.count().await.map(Some).map_err(effects_failed),
            None => Ok(None),
        }
    }

    /// Waits until the effects are counted, so that the next check does not count them.
    async fn settle(&self, before: Option<u64>) -> Result<(), Error> {
        if let (Some(effects), Some(before)) = (&self.effects, before) {
            effects.since(before).await.map_err(effects_failed)?;
        }
        Ok(())
    }

    fn rejections(&self) -> MutexGuard<'_, Vec<(&'static str, Option<Response>)>> {
        self.rejections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn none_rejected_with(&self, statuses: RangeInclusive<u16>) -> (Outcome, String) {
        for (id, response) in self.rejections().iter() {
            if let Some(response) = response
                && statuses.contains(&response.status)
            {
                return judged(false, format!("{} for {id}", response.status));
            }
        }
        judged(true, "none")
    }

    fn none_closed(&self) -> (Outcome, String) {
        match self
            .rejections()
            .iter()
            .find(|(_, response)| response.is_none())
        {
            Some((id, _)) => judged(false, format!("the connection was closed for {id}")),
            None => judged(true, "a response to each"),
        }
    }

    /// Compares the responses to deliveries with a wrong signature and with an old timestamp.
    ///
    /// If the responses to two wrong signatures differ, for example in a request id, the result is inconclusive.
    fn one_reason(&self) -> (Outcome, String) {
        let rejections = self.rejections();
        let of = |wanted: &str| {
            let (_, response) = rejections.iter().find(|(id, _)| *id == wanted)?;
            let response = response.as_ref()?;
            let names = response.headers.iter().map(|(name, _)| name.as_str());
            Some((response.status, names.collect::<Vec<_>>(), &response.body))
        };
        let (Some(one), Some(other), Some(stale)) =
            (of("sig/another-secret"), of("mac/body"), of("time/stale"))
        else {
            return (Outcome::Skip, "no responses to compare".to_owned());
        };
        match (one == other, one == stale) {
            (true, is_same) => judged(
                is_same,
                if is_same {
                    "the same response"
                } else {
                    "a different response to an old timestamp"
                },
            ),
            (false, _) => (
                Outcome::Info,
                "responses to rejections for the same reason differ".to_owned(),
            ),
        }
    }
}

fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        _ => format!("{number} times"),
    }
}

fn effects_failed(why: String) -> Error {
    Error::failed("--effects-url", why)
}

fn is_success(response: &io::Result<Response>) -> bool {
    matches!(response, Ok(response) if (200..=299).contains(&response.status))
}

fn describe(response: &io::Result<Response>) -> String {
    match response {
        Ok(response) => response.status.to_string(),
        Err(why) => format!("no response ({why})"),
    }
}

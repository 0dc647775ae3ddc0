use core::{ops::RangeInclusive, time::Duration};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use reqwest::{Method, Url, header::HeaderMap};
use scrupp_verify_cli::{
    Delivery, Expected, Group, Level, Recipient, Response, Row, SIGNATURE, Step, http1_rows,
};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::{Client, is_loopback},
    doctor::{
        endpoint::Endpoint,
        report::{Finding, Outcome},
    },
    output::Error,
};

/// Requests of `once/concurrent`.
const CONCURRENT: usize = 10;

/// Furthest times that the window is measured to, in seconds: a day.
const FURTHEST: u64 = 86_400;

/// Time for the effect of a delivery to show.
const EFFECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One thing to find out about a receiver.
pub(crate) struct Check {
    pub(crate) id: &'static str,
    level: Level,
    pub(crate) group: Group,
    /// Whether genuine deliveries are sent.
    pub(crate) is_genuine: bool,
    pub(crate) sent: &'static str,
    expected: &'static str,
    /// Ids of checks whose failure explains that of this one.
    pub(crate) after: Vec<&'static str>,
    test: Test,
}

enum Test {
    /// Sends one delivery.
    Row(Box<Row>),
    /// The response must not have the right signature of the delivery that it rejects.
    Echo(u64),
    /// A delivery that was acknowledged, again.
    Duplicate(u64),
    Once(u64, Again),
    /// How old a delivery may be, or how far ahead.
    Window(u64, Side),
    /// Whether the URL is one of https, or of this machine.
    Tls(bool),
    /// Looks back on the rejections.
    NoSuccess,
    NoServerError,
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
    let sent = "a delivery that was acknowledged, again";
    let twice = "handled once";
    add(
        "status/duplicate",
        Level::Must,
        sent,
        "2xx",
        &[genuine],
        &Test::Duplicate,
    );
    add(
        "once/repeated",
        Level::Must,
        sent,
        twice,
        &[genuine],
        &|id| Test::Once(id, Again::Same),
    );
    let sent = "an event that was acknowledged, signed anew";
    let after = [genuine, "once/repeated"];
    add(
        "once/signed-anew",
        Level::Should,
        sent,
        twice,
        &after,
        &|id| Test::Once(id, Again::SignedAnew),
    );
    let sent = "a delivery ten times at once";
    add(
        "once/concurrent",
        Level::Should,
        sent,
        twice,
        &after,
        &|id| Test::Once(id, Again::AtOnce),
    );
    let sent = "deliveries of any age up to a day";
    let after = [genuine, "time/stale", "time/future"];
    add(
        "time/past-window",
        Level::Info,
        sent,
        "300 s",
        &after,
        &|id| Test::Window(id, Side::Past),
    );
    let sent = "deliveries of up to a day ahead";
    add(
        "time/future-window",
        Level::Info,
        sent,
        "60 s",
        &after,
        &|id| Test::Window(id, Side::Future),
    );
    let sent = "signed with another secret";
    let expected = "the response does not have the right signature";
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
    let expected = "no 2xx, which the sender takes for an acknowledgement";
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
    let expected = "the same text for each reason";
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
            // Receivers that are right may differ on what is for information.
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

    /// Returns whether the check sends nothing of its own.
    pub(crate) fn looks_back(&self) -> bool {
        matches!(
            self.test,
            Test::NoSuccess | Test::NoServerError | Test::OneReason
        )
    }

    pub(crate) fn level(&self) -> &'static str {
        level(self.level)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "id": self.id, "level": self.level(), "sent": self.sent })
    }

    /// Returns the finding of a check that another one makes needless.
    pub(crate) fn skip(self, explained_by: &str) -> Finding {
        self.finding(
            Outcome::Skip,
            format!("not sent: see {explained_by}"),
            Duration::ZERO,
        )
    }

    fn finding(self, outcome: Outcome, got: String, time: Duration) -> Finding {
        // What is for information does not fail.
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

/// Number of deliveries that the receiver has handled, as it tells itself.
pub(crate) struct Effects {
    client: Client,
    pointer: String,
}

impl Effects {
    pub(crate) async fn new(url: Url, pointer: &str) -> Result<Self, Error> {
        let effects = Self {
            client: Client::new(url)?,
            pointer: pointer.to_owned(),
        };
        let count = effects.count().await;
        count.map_err(|why| Error::failed("--effects-url", why))?;
        Ok(effects)
    }

    async fn count(&self) -> Result<u64, String> {
        let response = self.client.send(Method::GET, HeaderMap::new(), "").await?;
        let json: Value = serde_json::from_str(&response.body).map_err(|why| why.to_string())?;
        let value = json.pointer(&self.pointer);
        let length = value
            .and_then(Value::as_array)
            .map(|list| list.len() as u64);
        let count = length.or(value.and_then(Value::as_u64));
        count.ok_or_else(|| "neither a number nor a list at --effects-pointer".to_owned())
    }

    /// Waits until the number is another one, or long enough. Returns the difference.
    async fn since(&self, before: u64) -> Result<u64, String> {
        let started = Instant::now();
        loop {
            let count = self.count().await?;
            if count != before || started.elapsed() > EFFECT_TIMEOUT {
                return Ok(count.saturating_sub(before));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Runs checks against a receiver.
pub(crate) struct Doctor {
    endpoint: Endpoint,
    recipient: Arc<Recipient>,
    effects: Option<Effects>,
    /// Responses to rejected deliveries that are well-formed.
    rejections: Mutex<Vec<(&'static str, Response)>>,
}

/// Outcome with what was found, or why it could not be found.
type Found = Result<(bool, String), String>;

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
            rejections: Mutex::default(),
        }
    }

    pub(crate) async fn run(self: &Arc<Self>, check: Check) -> Finding {
        let started = Instant::now();
        let found = match &check.test {
            Test::Row(row) => self.row(row).await,
            Test::Echo(process_id) => self.echo(*process_id).await,
            Test::Duplicate(process_id) => self.duplicate(*process_id).await,
            Test::Once(process_id, again) => self.once(*process_id, *again).await,
            Test::Window(process_id, side) => self.window(*process_id, *side).await,
            Test::Tls(is_safe) => Ok((*is_safe, "the URL".to_owned())),
            Test::NoSuccess => Ok(self.none_rejected_with(200..=299)),
            Test::NoServerError => Ok(self.none_rejected_with(500..=599)),
            Test::OneReason => Ok(self.one_reason()),
        };
        let (outcome, got) = match found {
            Ok((true, got)) => (Outcome::Pass, got),
            Ok((false, got)) => (Outcome::Fail, got),
            Err(why) => (Outcome::Skip, why),
        };
        check.finding(outcome, got, started.elapsed())
    }

    async fn row(&self, row: &Row) -> Found {
        let before = self.count().await?;
        let response = self.endpoint.exchange(&row.steps).await;
        let mut is_expected = row.expected.includes(&response);
        let mut got = describe(&response);
        let is_rejected = matches!(row.expected, Expected::Rejected(401));
        if let (Some(effects), Some(before)) = (&self.effects, before) {
            let handled = match row.expected {
                Expected::Handled(_) => effects.since(before).await?,
                _ => effects.count().await?.saturating_sub(before),
            };
            is_expected = match row.expected {
                Expected::Handled(_) => is_expected && handled == 1,
                Expected::HandledOrNot(_) => is_expected && handled <= 1,
                // Whether it is told so is another check.
                _ => (is_expected || is_success(&response)) && handled == 0,
            };
            got = format!("{got}, handled {handled} times");
        }
        if is_expected
            && is_rejected
            && let Ok(response) = response
        {
            self.rejections().push((row.id, response));
        }
        Ok((is_expected, got))
    }

    async fn echo(&self, process_id: u64) -> Found {
        let mut delivery = Delivery::new(&self.recipient, process_id);
        let right = delivery.value(SIGNATURE).replace("sha256=", "");
        delivery.sign_with("another", delivery.now);
        let response = self.send(&delivery).await;
        let Ok(response) = response else {
            return Ok((true, describe(&response)));
        };
        let mut text = String::from_utf8_lossy(&response.body).to_lowercase();
        for (_, value) in &response.headers {
            text.push_str(&value.to_lowercase());
        }
        match text.contains(&right) {
            true => Ok((false, "the response has the right signature".to_owned())),
            false => Ok((true, format!("{}, without it", response.status))),
        }
    }

    async fn duplicate(&self, process_id: u64) -> Found {
        let delivery = Delivery::new(&self.recipient, process_id);
        let first = self.send(&delivery).await;
        let second = self.send(&delivery).await;
        let got = format!("{}, then {}", describe(&first), describe(&second));
        Ok((is_success(&second), got))
    }

    async fn once(self: &Arc<Self>, process_id: u64, again: Again) -> Found {
        let unknown = || "needs --effects-url: a status does not tell".to_owned();
        let effects = self.effects.as_ref().ok_or_else(unknown)?;
        let before = effects.count().await?;
        let mut delivery = Delivery::new(&self.recipient, process_id);
        if let Again::AtOnce = again {
            let mut sending = JoinSet::new();
            for _ in 0..CONCURRENT {
                let (doctor, delivery) = (Arc::clone(self), delivery.clone());
                sending.spawn(async move { doctor.send(&delivery).await });
            }
            sending.join_all().await;
        } else {
            let _ = self.send(&delivery).await;
            if let Again::SignedAnew = again {
                delivery.sign_at(delivery.now - 1);
            }
            let _ = self.send(&delivery).await;
        }
        effects.since(before).await?;
        // A second effect may be a moment later.
        sleep(Duration::from_millis(50)).await;
        let handled = effects.count().await?.saturating_sub(before);
        Ok((handled == 1, format!("handled {handled} times")))
    }

    /// Finds by bisection how far from now a timestamp may be.
    async fn window(&self, first_process_id: u64, side: Side) -> Found {
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
            match is_success(&self.send(&delivery).await) {
                true => accepted = middle,
                false => rejected = middle,
            }
        }
        Ok((true, format!("{accepted} s")))
    }

    async fn send(&self, delivery: &Delivery) -> io::Result<Response> {
        let steps = [Step::Send(delivery.request())];
        self.endpoint.exchange(&steps).await
    }

    async fn count(&self) -> Result<Option<u64>, String> {
        match &self.effects {
            Some(effects) => effects.count().await.map(Some),
            None => Ok(None),
        }
    }

    fn rejections(&self) -> std::sync::MutexGuard<'_, Vec<(&'static str, Response)>> {
        self.rejections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn none_rejected_with(&self, statuses: RangeInclusive<u16>) -> (bool, String) {
        let rejections = self.rejections();
        let mut with = rejections
            .iter()
            .filter(|(_, response)| statuses.contains(&response.status));
        match with.next() {
            Some((id, response)) => (false, format!("{} for {id}", response.status)),
            None => (true, "none".to_owned()),
        }
    }

    /// Compares the responses to deliveries with a wrong signature and with an old timestamp.
    fn one_reason(&self) -> (bool, String) {
        let rejections = self.rejections();
        let text = |wanted: &str| {
            let (_, response) = rejections.iter().find(|(id, _)| *id == wanted)?;
            Some(letters(&response.body))
        };
        let texts = ["sig/another-secret", "mac/body", "time/stale"].map(text);
        let mut texts = texts.iter().flatten();
        let first = texts.next();
        match texts.all(|text| Some(text) == first) {
            true => (true, "one text".to_owned()),
            false => (false, "different texts".to_owned()),
        }
    }
}

/// Returns a body without the digits of numbers and ids, which may differ each time.
fn letters(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().filter(|c| !c.is_ascii_hexdigit()).collect()
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

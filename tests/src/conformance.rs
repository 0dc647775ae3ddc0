use std::{
    io,
    sync::{Arc, LazyLock},
};

use scrupp_verify_cli::{Connection, Delivery, Expected, Group, Recipient, Response, Row, Step};

use crate::{FrontEnd, PREVIOUS_SECRET, SECRET, Server};

/// The settings for sending deliveries to any front end.
static RECIPIENT: LazyLock<Arc<Recipient>> = LazyLock::new(|| {
    Arc::new(Recipient {
        host: "localhost".to_owned(),
        target: "/webhooks/scrupp".to_owned(),
        secret: SECRET.into(),
        previous_secret: Some(PREVIOUS_SECRET.into()),
        content_type: None,
        meta: None,
    })
});

/// The id of a row, the front ends that it does not apply to, and the reason.
type LeftOut = (&'static str, fn(FrontEnd) -> bool, &'static str);

const LEFT_OUT: [LeftOut; 10] = [
    (
        "body/not-utf-8",
        |front_end| !front_end.keeps_bodies(),
        "an example responds with 422 to a body that is not an event",
    ),
    (
        "body/content-encoding",
        |front_end| front_end == FrontEnd::Example("example-actix"),
        "its extractor decompresses the body",
    ),
    (
        "chunks/trailer",
        FrontEnd::is_actix,
        "the parser of actix-web rejects trailers",
    ),
    (
        "method/get",
        |front_end| !front_end.keeps_bodies(),
        "only POST is routed to verification",
    ),
    (
        "wait/stale-body",
        FrontEnd::is_actix,
        "actix-web closes a connection if it responds before the end of the body",
    ),
    (
        "wait/stale-continue",
        FrontEnd::is_actix,
        "actix-web sends 100 Continue before it calls the middleware",
    ),
    (
        "wait/stale-continue",
        |front_end| front_end == FrontEnd::ROCKET,
        "Rocket waits for 14 bytes of the body before it calls a guard",
    ),
    (
        "length/exabytes",
        |front_end| front_end == FrontEnd::ROCKET,
        "Rocket waits for 14 bytes of the body before it calls a guard",
    ),
    (
        "chunks/malformed",
        |front_end| front_end == FrontEnd::ROCKET,
        "Rocket ignores errors in the first 14 bytes, so the signature does not match",
    ),
    (
        "chunks/cut",
        |front_end| front_end == FrontEnd::ROCKET,
        "Rocket ignores errors in the first 14 bytes, so the signature does not match",
    ),
];

/// Rows that repeat a header with the genuine value last.
const GENUINE_LAST: [&str; 4] = [
    "header/two-signatures-reversed",
    "header/two-timestamps-reversed",
    "header/repeated-signature",
    "header/repeated-timestamp",
];

/// Returns a genuine delivery to any front end, signed now.
#[must_use]
pub fn signed(process_id: u64) -> Delivery {
    Delivery::new(&RECIPIENT, process_id)
}

/// Returns the rows of the conformance table for HTTP/1.1.
#[must_use]
pub fn http1_rows() -> Vec<Row> {
    scrupp_verify_cli::http1_rows(&RECIPIENT, 1000)
}

/// Returns the reason why a row does not apply to a front end, or `None` if it applies.
#[must_use]
pub fn left_out(row: &Row, front_end: FrontEnd) -> Option<&'static str> {
    if matches!(front_end, FrontEnd::Lambda { .. }) && matches!(row.group, Group::Raw | Group::Slow)
    {
        return Some("the gateway reads the request");
    }
    if front_end.passes_only_last_header() && GENUINE_LAST.contains(&row.id) {
        return Some("the gateway passes only the last of repeated headers");
    }
    let left_out = LEFT_OUT
        .iter()
        .find(|(id, applies, _)| *id == row.id && applies(front_end));
    left_out.map(|(_, _, reason)| *reason)
}

/// Sends the delivery of a row, and compares the response and the handled body with the expected
/// ones.
///
/// # Errors
///
/// Returns a description of the difference.
pub async fn check(row: &Row, server: &Server) -> Result<(), String> {
    let connection = Connection::open(server.address()).await;
    let mut connection = connection.map_err(|error| format!("connecting: {error}"))?;
    let sent = connection.send(&row.steps).await;
    sent.map_err(|error| format!("sending: {error}"))?;
    let response = connection.response().await;
    compare(
        &row.expected,
        response,
        &server.handled(row.process_id).await,
    )?;

    if row.reusable {
        let next = signed(row.process_id + 500_000);
        let sent = connection.send(&[Step::Send(next.request())]).await;
        sent.map_err(|error| format!("sending on the same connection: {error}"))?;
        let status = connection.response().await.map(|response| response.status);
        if !matches!(status, Ok(200)) {
            return Err(format!("a delivery on the same connection got {status:?}"));
        }
    }
    Ok(())
}

/// Compares a response and the bodies that the handler received with the expected ones.
///
/// # Errors
///
/// Returns a description of the difference.
pub(crate) fn compare(
    expected: &Expected,
    response: io::Result<Response>,
    handled: &[Option<Vec<u8>>],
) -> Result<(), String> {
    let status = response.as_ref().map(|response| response.status);
    match expected {
        Expected::Handled(body) => match (status, handled) {
            (Ok(200), [None]) => Ok(()),
            (Ok(200), [Some(seen)]) if seen == body => Ok(()),
            (Ok(200), [Some(seen)]) => Err(format!("the handler got {} bytes", seen.len())),
            (Ok(200), runs) => Err(format!("the handler ran {} times", runs.len())),
            (other, _) => Err(format!("expected 200, got {other:?}")),
        },
        Expected::HandledOrNot(body) => match (status, handled) {
            (Ok(200), [None]) => Ok(()),
            (Ok(200), [Some(seen)]) if seen == body => Ok(()),
            (Ok(200), runs) => Err(format!("responded 200, and the handler got {runs:?}")),
            (_, []) => Ok(()),
            (other, _) => Err(format!("the handler ran, and the response was {other:?}")),
        },
        _ if !handled.is_empty() => Err("the handler ran".into()),
        Expected::Rejected(expected) if !matches!(status, Ok(status) if status == *expected) => {
            Err(format!("expected {expected}, got {status:?}"))
        }
        Expected::Rejected(expected) => check_rejection(response.ok(), *expected),
        // hyper responds to malformed framing before the layer runs.
        Expected::RejectedOrClosed(expected) => match status {
            Err(_) | Ok(400) => Ok(()),
            Ok(status) if status == *expected => Ok(()),
            other => Err(format!("expected {expected}, got {other:?}")),
        },
        other => Err(format!("{other:?} is not compared")),
    }
}

/// Checks that a rejection reveals its status and nothing else.
fn check_rejection(response: Option<Response>, expected: u16) -> Result<(), String> {
    let Some(response) = response.filter(|response| response.status == expected) else {
        return Ok(());
    };
    if (expected == 401) != response.header("www-authenticate").is_some() {
        return Err("a 401 must have a challenge, and other statuses must not".into());
    }
    let problem = String::from_utf8_lossy(&response.body);
    if !problem.contains(&format!("\"status\":{expected}}}")) || problem.len() > 60 {
        return Err(format!("the body of the rejection is {problem:?}"));
    }
    Ok(())
}

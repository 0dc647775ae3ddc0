use std::{
    io,
    sync::{Arc, LazyLock},
};

use scrupp_verify_cli::{Connection, Delivery, Expected, Group, Recipient, Response, Row, Step};

use crate::{FrontEnd, PREVIOUS_SECRET, SECRET, Server};

/// Receiver that every front end is.
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

/// Id of a row, the front ends that cannot do it, and why.
type LeftOut = (&'static str, fn(FrontEnd) -> bool, &'static str);

const LEFT_OUT: [LeftOut; 10] = [
    (
        "body/not-utf-8",
        |front_end| !front_end.keeps_bodies(),
        "an example responds 422 to what is no event",
    ),
    (
        "body/content-encoding",
        |front_end| front_end == FrontEnd::Example("example-actix"),
        "its extractor decompresses what it is given",
    ),
    (
        "chunks/trailer",
        FrontEnd::is_actix,
        "actix-web's parser takes no trailers",
    ),
    (
        "method/get",
        |front_end| !front_end.keeps_bodies(),
        "only POST is routed to verification",
    ),
    (
        "wait/stale-body",
        FrontEnd::is_actix,
        "actix-web closes a connection if it responds while a body is still to come",
    ),
    (
        "wait/stale-continue",
        FrontEnd::is_actix,
        "actix-web asks for every body itself, before any middleware is called",
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
        "Rocket reports no error of the first 14 bytes, so what follows is a mismatch",
    ),
    (
        "chunks/cut",
        |front_end| front_end == FrontEnd::ROCKET,
        "Rocket reports no error of the first 14 bytes, so what follows is a mismatch",
    ),
];

/// Rows that repeat a header, with the genuine value last.
const GENUINE_LAST: [&str; 4] = [
    "header/two-signatures-reversed",
    "header/two-timestamps-reversed",
    "header/repeated-signature",
    "header/repeated-timestamp",
];

/// A delivery to any front end, signed now.
#[must_use]
pub fn signed(process_id: u64) -> Delivery {
    Delivery::new(&RECIPIENT, process_id)
}

/// The conformance table for HTTP/1.1.
#[must_use]
pub fn http1_rows() -> Vec<Row> {
    scrupp_verify_cli::http1_rows(&RECIPIENT, 1000)
}

/// Why a front end cannot do a row, if it cannot.
#[must_use]
pub fn left_out(row: &Row, front_end: FrontEnd) -> Option<&'static str> {
    if matches!(front_end, FrontEnd::Lambda { .. }) && matches!(row.group, Group::Raw | Group::Slow)
    {
        return Some("its gateway reads the connection");
    }
    if front_end.has_last_header() && GENUINE_LAST.contains(&row.id) {
        return Some("its gateway hands on the last of repeated headers");
    }
    let left_out = LEFT_OUT
        .iter()
        .find(|(id, applies, _)| *id == row.id && applies(front_end));
    left_out.map(|(_, _, reason)| *reason)
}

/// Sends a row's delivery, and says what is not as it has to be.
///
/// # Errors
///
/// A text that says what is not as expected.
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

/// Says what is not as it has to be of a response, and of what the handler ran on.
///
/// # Errors
///
/// A text that says what is not as expected.
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
            (Ok(200), [Some(seen)]) => Err(format!("the handler saw {} bytes", seen.len())),
            (Ok(200), runs) => Err(format!("the handler ran {} times", runs.len())),
            (other, _) => Err(format!("expected 200, got {other:?}")),
        },
        Expected::HandledOrNot(body) => match (status, handled) {
            (Ok(200), [None]) => Ok(()),
            (Ok(200), [Some(seen)]) if seen == body => Ok(()),
            (Ok(200), runs) => Err(format!("responded 200, ran on {runs:?}")),
            (_, []) => Ok(()),
            (other, _) => Err(format!("the handler ran, and the response was {other:?}")),
        },
        _ if !handled.is_empty() => Err("the handler ran".into()),
        Expected::Rejected(expected) if !matches!(status, Ok(status) if status == *expected) => {
            Err(format!("expected {expected}, got {status:?}"))
        }
        Expected::Rejected(expected) => check_rejection(response.ok(), *expected),
        // Its server responds to malformed framing itself, before the layer.
        Expected::RejectedOrClosed(expected) => match status {
            Err(_) | Ok(400) => Ok(()),
            Ok(status) if status == *expected => Ok(()),
            other => Err(format!("expected {expected}, got {other:?}")),
        },
        other => Err(format!("{other:?} is not compared")),
    }
}

/// A rejection of ours says its status, and nothing else.
fn check_rejection(response: Option<Response>, expected: u16) -> Result<(), String> {
    let Some(response) = response.filter(|response| response.status == expected) else {
        return Ok(());
    };
    if (expected == 401) != response.header("www-authenticate").is_some() {
        return Err("the challenge is not where it belongs".into());
    }
    let problem = String::from_utf8_lossy(&response.body);
    if !problem.contains(&format!("\"status\":{expected}}}")) || problem.len() > 60 {
        return Err(format!("the body of the rejection is {problem:?}"));
    }
    Ok(())
}

//! The deliveries, with the expected status of each.

use scrupp_verify_tower::{Secret, Signer, UnixTime};

pub(crate) const CURRENT_SECRET: &str = "current secret";
pub(crate) const PREVIOUS_SECRET: &str = "previous secret";

/// The process id of the event for which the handler fails at the first attempt.
pub(crate) const FAILS_AT_FIRST: u64 = 6668;

const COMPLETED: &str = r#"{"event":"task.completed","process_id":6666,"status":"completed",
 "result_url":"https://api.scrupp.com/api/v1/task/6666/data",
 "meta":{"endpoint":"/company/linkedin","external_id":"row_9481","source":"zapier"}}"#;
const FAILED: &str = r#"{"event":"task.completed","process_id":6666,"status":"failed","error":"Message (optional)"}"#;
const ROTATED: &str = r#"{"event":"task.completed","process_id":6667,"status":"completed"}"#;
const RETRIED: &str = r#"{"event":"task.completed","process_id":6668,"status":"completed"}"#;
const TAMPERED: &str = r#"{"event":"task.completed","process_id":6669,"status":"completed"}"#;

/// A body that exceeds the default body limit by one byte.
static TOO_LARGE: &str = match str::from_utf8(&[b' '; 256 * 1024 + 1]) {
    Ok(spaces) => spaces,
    Err(_) => "",
};

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: &'static str,
    pub(crate) status: u16,
    pub(crate) runs: bool,
}

pub(crate) fn all() -> Vec<Case> {
    let now = UnixTime::now().map_or(0, UnixTime::as_secs);
    let current = |body, secs| signed(CURRENT_SECRET, body, secs);
    let genuine = current(COMPLETED, now);
    let [signature, timestamp] = genuine.clone();
    let case = |name, headers: &[_], body, status, runs| Case {
        name,
        headers: headers.to_vec(),
        body,
        status,
        runs,
    };
    vec![
        case("genuine, completed task", &genuine, COMPLETED, 200, true),
        case(
            "genuine, failed task",
            &current(FAILED, now),
            FAILED,
            200,
            true,
        ),
        case("modified body", &genuine, TAMPERED, 401, false),
        case(
            "signed with another secret",
            &signed("another secret", ROTATED, now),
            ROTATED,
            401,
            false,
        ),
        case(
            "too old, signed 301 s ago",
            &current(ROTATED, now - 301),
            ROTATED,
            401,
            false,
        ),
        case(
            "signed 90 s in the future",
            &current(ROTATED, now + 90),
            ROTATED,
            401,
            false,
        ),
        case(
            "signature header missing",
            core::slice::from_ref(&timestamp),
            COMPLETED,
            401,
            false,
        ),
        case(
            "signature header repeated",
            &[signature.clone(), timestamp, signature],
            COMPLETED,
            401,
            false,
        ),
        case(
            "signed with the previous secret",
            &signed(PREVIOUS_SECRET, ROTATED, now),
            ROTATED,
            200,
            true,
        ),
        case(
            "body of 256 KiB and 1 byte",
            &current(TOO_LARGE, now),
            TOO_LARGE,
            413,
            false,
        ),
        case(
            "replay of the first delivery",
            &genuine,
            COMPLETED,
            200,
            false,
        ),
        case(
            "retry of the first delivery, signed again",
            &current(COMPLETED, now + 1),
            COMPLETED,
            200,
            false,
        ),
        case(
            "first attempt, the handler fails",
            &current(RETRIED, now),
            RETRIED,
            500,
            true,
        ),
        case(
            "second attempt, the handler succeeds",
            &current(RETRIED, now),
            RETRIED,
            200,
            true,
        ),
    ]
}

fn signed(secret: &str, body: &str, secs: u64) -> [(&'static str, String); 2] {
    let secret = Secret::new(secret).expect("a valid secret");
    let headers = Signer::new(&secret).sign(UnixTime::from_secs(secs), body.as_bytes());
    headers
        .pairs()
        .map(|(name, value)| (name, value.to_owned()))
}

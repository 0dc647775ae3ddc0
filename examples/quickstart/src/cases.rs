//! The deliveries, and what is expected of each.

use scrupp_verify_tower::{Secret, Signer, UnixTime};

pub(crate) const CURRENT_SECRET: &str = "current secret";
pub(crate) const PREVIOUS_SECRET: &str = "previous secret";

/// The task whose event the handler fails on when it comes for the first time.
pub(crate) const FAILS_AT_FIRST: u64 = 6668;

const COMPLETED: &str = r#"{"event":"task.completed","process_id":6666,"status":"completed",
 "result_url":"https://api.scrupp.com/api/v1/task/6666/data",
 "meta":{"endpoint":"/company/linkedin","external_id":"row_9481","source":"zapier"}}"#;
const FAILED: &str = r#"{"event":"task.completed","process_id":6666,"status":"failed","error":"Message (optional)"}"#;
const ROTATED: &str = r#"{"event":"task.completed","process_id":6667,"status":"completed"}"#;
const RETRIED: &str = r#"{"event":"task.completed","process_id":6668,"status":"completed"}"#;
const TAMPERED: &str = r#"{"event":"task.completed","process_id":6669,"status":"completed"}"#;

/// One byte more than the default limit.
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
        case(
            "genuine, the task completed",
            &genuine,
            COMPLETED,
            200,
            true,
        ),
        case(
            "genuine, the task failed",
            &current(FAILED, now),
            FAILED,
            200,
            true,
        ),
        case("the body tampered with", &genuine, TAMPERED, 401, false),
        case(
            "signed with another secret",
            &signed("another secret", ROTATED, now),
            ROTATED,
            401,
            false,
        ),
        case(
            "stale, signed 301 s ago",
            &current(ROTATED, now - 301),
            ROTATED,
            401,
            false,
        ),
        case(
            "from the future, signed 90 s ahead",
            &current(ROTATED, now + 90),
            ROTATED,
            401,
            false,
        ),
        case(
            "the signature header missing",
            core::slice::from_ref(&timestamp),
            COMPLETED,
            401,
            false,
        ),
        case(
            "the signature header twice",
            &[signature.clone(), timestamp, signature],
            COMPLETED,
            401,
            false,
        ),
        case(
            "signed with the previous secret, during rotation",
            &signed(PREVIOUS_SECRET, ROTATED, now),
            ROTATED,
            200,
            true,
        ),
        case(
            "too large, 256 KiB and a byte",
            &current(TOO_LARGE, now),
            TOO_LARGE,
            413,
            false,
        ),
        case("exact replay of the first", &genuine, COMPLETED, 200, false),
        case(
            "retry of the first, signed anew",
            &current(COMPLETED, now + 1),
            COMPLETED,
            200,
            false,
        ),
        case(
            "one that the handler fails on",
            &current(RETRIED, now),
            RETRIED,
            500,
            true,
        ),
        case("and its retry", &current(RETRIED, now), RETRIED, 200, true),
    ]
}

fn signed(secret: &str, body: &str, secs: u64) -> [(&'static str, String); 2] {
    let secret = Secret::new(secret).expect("a secret of some length");
    let headers = Signer::new(&secret).sign(UnixTime::from_secs(secs), body.as_bytes());
    headers
        .pairs()
        .map(|(name, value)| (name, value.to_owned()))
}

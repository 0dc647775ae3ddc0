//! Checks headers, and compares the result with a second implementation of the rules.
//!
//! The input consists of lines of the form `name: value`. The value of `now` is the time of the receiver.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scrupp_verify_core::{
    Policy, RejectionKind as Kind, RejectionKind, SIGNATURE_HEADER, TIMESTAMP_HEADER, UnixTime,
};

const BODY_LIMIT: u64 = 1000;

fuzz_target!(|input: &[u8]| {
    let lines = input.split(|byte| *byte == b'\n');
    let head: Vec<(&[u8], &[u8])> = lines.filter_map(header).collect();
    let now = of(&head, "now").first().and_then(|value| number(value));
    let now = now.unwrap_or(1_735_471_800);

    let policy = Policy::default().body_limit(BODY_LIMIT as usize);
    let verdict = policy.check_head(&head[..], UnixTime::from_secs(now));
    let kind = verdict.map(drop).map_err(|rejection| rejection.kind());
    assert_eq!(kind, expected(&head, now));
});

fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

fn of<'a>(head: &[(&'a [u8], &'a [u8])], name: &str) -> Vec<&'a [u8]> {
    let same = |candidate: &[u8]| candidate.to_ascii_lowercase() == name.as_bytes();
    let values = head.iter().filter(|(candidate, _)| same(candidate));
    values.map(|(_, value)| *value).collect()
}

fn expected(head: &[(&[u8], &[u8])], now: u64) -> Result<(), RejectionKind> {
    let signature = match of(head, SIGNATURE_HEADER)[..] {
        [] => return Err(Kind::MissingSignature),
        [signature] => signature,
        _ => return Err(Kind::RepeatedSignature),
    };
    let is_well_formed = signature.len() == 71
        && signature.starts_with(b"sha256=")
        && signature[7..].iter().all(u8::is_ascii_hexdigit);
    if !is_well_formed {
        return Err(Kind::MalformedSignature);
    }
    let timestamp = match of(head, TIMESTAMP_HEADER)[..] {
        [] => return Err(Kind::MissingTimestamp),
        [timestamp] => timestamp,
        _ => return Err(Kind::RepeatedTimestamp),
    };
    let sent = match number(timestamp) {
        Some(sent) if !timestamp.starts_with(b"0") => sent,
        _ => return Err(Kind::MalformedTimestamp),
    };
    let age = i128::from(now) - i128::from(sent);
    if age > 300 {
        return Err(Kind::TooOld);
    }
    if age < -60 {
        return Err(match timestamp.len() {
            13 => Kind::TimestampInMilliseconds,
            _ => Kind::InFuture,
        });
    }
    // A number that does not fit in a `u64` exceeds any limit.
    let exceeds = |length: &&[u8]| {
        let is_digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
        is_digits && number(length).is_none_or(|length| length > BODY_LIMIT)
    };
    match of(head, "content-length").iter().any(exceeds) {
        true => Err(Kind::BodyTooLarge),
        false => Ok(()),
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(digits).ok()?;
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| digits.parse().ok())?
}

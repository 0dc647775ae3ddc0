extern crate alloc;

use alloc::{collections::BTreeSet, format, string::ToString, vec::Vec};

use super::{RejectionKind::*, *};

/// The kind after this one; a new kind does not compile until it is in here.
const fn next(kind: RejectionKind) -> Option<RejectionKind> {
    Some(match kind {
        MissingSignature => RepeatedSignature,
        RepeatedSignature => MalformedSignature,
        MalformedSignature => MissingTimestamp,
        MissingTimestamp => RepeatedTimestamp,
        RepeatedTimestamp => MalformedTimestamp,
        MalformedTimestamp => TimestampInMilliseconds,
        TimestampInMilliseconds => TooOld,
        TooOld => InFuture,
        InFuture => SignatureMismatch,
        SignatureMismatch => UnknownAccount,
        UnknownAccount => BodyTooLarge,
        BodyTooLarge => BodyTimeout,
        BodyTimeout => BodyBroken,
        BodyBroken => ClockUnavailable,
        ClockUnavailable => SecretsUnavailable,
        SecretsUnavailable => StoreUnavailable,
        StoreUnavailable => InFlight,
        InFlight => return None,
    })
}

fn all() -> impl Iterator<Item = RejectionKind> {
    core::iter::successors(Some(MissingSignature), |kind| next(*kind))
}

#[rustfmt::skip]
const TEXTS: &[(RejectionKind, u16, &str, &str)] = &[
    (MissingSignature, 401, "missing_signature", "the signature header is missing"),
    (RepeatedSignature, 401, "repeated_signature", "the signature header came more than once"),
    (MalformedSignature, 401, "malformed_signature", "the signature is not sha256= and 64 hex digits"),
    (MissingTimestamp, 401, "missing_timestamp", "the timestamp header is missing"),
    (RepeatedTimestamp, 401, "repeated_timestamp", "the timestamp header came more than once"),
    (MalformedTimestamp, 401, "malformed_timestamp", "the timestamp is not a decimal number of seconds"),
    (TimestampInMilliseconds, 401, "timestamp_in_milliseconds", "the timestamp seems to count milliseconds instead of seconds"),
    (TooOld, 401, "too_old", "the timestamp is too old"),
    (InFuture, 401, "in_future", "the timestamp is in the future"),
    (SignatureMismatch, 401, "signature_mismatch", "the signature matches none of the secrets"),
    (UnknownAccount, 401, "unknown_account", "there is no such account"),
    (BodyTooLarge, 413, "body_too_large", "the body is over the limit"),
    (BodyTimeout, 408, "body_timeout", "the body was not complete in time"),
    (BodyBroken, 400, "body_broken", "the body broke off"),
    (ClockUnavailable, 503, "clock_unavailable", "the clock gives no time"),
    (SecretsUnavailable, 503, "secrets_unavailable", "the secret lookup failed"),
    (StoreUnavailable, 503, "store_unavailable", "the delivery store failed"),
    (InFlight, 503, "in_flight", "another attempt is being handled"),
];

#[test]
fn gives_each_kind_its_status_its_name_and_its_message() {
    let told: Vec<_> = all()
        .map(|kind| {
            (
                kind,
                Rejection::new(kind).status(),
                kind.as_str(),
                kind.to_string(),
            )
        })
        .collect();
    let expected: Vec<_> = TEXTS
        .iter()
        .map(|(kind, status, name, message)| (*kind, *status, *name, message.to_string()))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn says_of_a_rejection_what_its_kind_says() {
    for kind in all() {
        let rejection = Rejection::from(kind);
        assert_eq!(rejection, Rejection::new(kind));
        assert_eq!(rejection.kind(), kind);
        assert_eq!(rejection.age_secs(), None);
        assert_eq!(rejection.to_string(), kind.to_string());
        assert_eq!(
            format!("{rejection:>70}"),
            format!("{rejection}"),
            "no padding"
        );
    }
}

#[test]
fn has_names_that_are_unique_and_fit_to_be_labels() {
    let names: BTreeSet<_> = all().map(RejectionKind::as_str).collect();
    assert_eq!(names.len(), TEXTS.len());
    for name in names {
        let is_snake_case = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(is_snake_case, "{name}");
    }
}

#[test]
fn answers_each_status_with_one_constant() {
    type Headers = &'static [(&'static str, &'static str)];
    let table: [(u16, Headers, &str); 5] = [
        (
            400,
            &[("content-type", "application/problem+json")],
            r#"{"title":"Bad Request","status":400}"#,
        ),
        (
            401,
            &[
                ("content-type", "application/problem+json"),
                ("www-authenticate", r#"ScruppSignature realm="webhook""#),
            ],
            r#"{"title":"Unauthorized","status":401}"#,
        ),
        (
            408,
            &[("content-type", "application/problem+json")],
            r#"{"title":"Request Timeout","status":408}"#,
        ),
        (
            413,
            &[("content-type", "application/problem+json")],
            r#"{"title":"Content Too Large","status":413}"#,
        ),
        (
            503,
            &[
                ("content-type", "application/problem+json"),
                ("retry-after", "5"),
            ],
            r#"{"title":"Service Unavailable","status":503}"#,
        ),
    ];
    for kind in all() {
        // The age is for the operator: it must not show.
        for rejection in [Rejection::new(kind), Rejection::aged(kind, -61)] {
            let (_, headers, problem) = table
                .iter()
                .find(|(status, ..)| *status == rejection.status())
                .unwrap();
            assert_eq!(rejection.headers(), *headers, "{kind:?}");
            assert_eq!(rejection.problem(), *problem, "{kind:?}");
        }
    }
    let statuses: BTreeSet<_> = all().map(|kind| Rejection::new(kind).status()).collect();
    assert!(statuses.into_iter().eq(table.map(|(status, ..)| status)));
}

#[test]
fn tells_the_operator_the_age() {
    let rejection = Rejection::aged(TooOld, 301);
    assert_eq!(rejection.age_secs(), Some(301));
    assert_eq!(rejection.to_string(), "the timestamp is too old");
}

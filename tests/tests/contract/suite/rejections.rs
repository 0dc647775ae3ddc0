//! The contract for rejections: the response, and the drain of the rest of the body.

use core::time::Duration;

use scrupp_verify_core::RejectionKind;
use tokio::time::Instant;

use super::adapter::{ScruppVerify, respond_with_kind, verify, verify_with_lookup};
use crate::support::{
    EVENT, Middleware, TestRequest, Turn, problem, signed, unsigned, while_time_passes,
};

/// Returns a rejection of each kind that needs only the headers.
fn rejected_by_head() -> [(RejectionKind, ScruppVerify, TestRequest); 4] {
    let looks_up = verify_with_lookup(|_| Err("no connection"));
    [
        (RejectionKind::MissingSignature, verify(), unsigned()),
        (
            RejectionKind::BodyTooLarge,
            verify(),
            signed(EVENT).header("content-length", "262145"),
        ),
        (
            RejectionKind::ClockUnavailable,
            verify().clock(|| None),
            signed(EVENT),
        ),
        (RejectionKind::SecretsUnavailable, looks_up, signed(EVENT)),
    ]
}

#[tokio::test(start_paused = true)]
async fn responds_with_status_headers_and_problem_only() {
    let rejected = verify().reject(unsigned()).await.collect().await;
    assert_eq!(rejected.status, 401);
    let content_type = ("content-type".into(), "application/problem+json".into());
    let challenge = r#"ScruppSignature realm="webhook""#;
    let challenge = ("www-authenticate".into(), challenge.into());
    assert_eq!(rejected.headers, [content_type.clone(), challenge]);
    assert_eq!(rejected.body, r#"{"title":"Unauthorized","status":401}"#);

    let rejected = verify().clock(|| None).reject(signed(EVENT)).await;
    let rejected = rejected.collect().await;
    assert_eq!(rejected.status, 503);
    let retry_after = ("retry-after".into(), "5".into());
    assert_eq!(rejected.headers, [content_type, retry_after]);
    let body = r#"{"title":"Service Unavailable","status":503}"#;
    assert_eq!(rejected.body, body);
}

#[tokio::test(start_paused = true)]
async fn on_rejection_replaces_the_response_but_not_the_decision() {
    for status in [200, 418] {
        let verify = respond_with_kind(verify(), status);
        let rejected = verify.reject(unsigned()).await.collect().await;
        assert_eq!(rejected.status, status);
        assert_eq!(rejected.body, "missing_signature");
        let own = ("x-kind".to_owned(), "missing_signature".to_owned());
        assert!(rejected.headers.contains(&own));
        assert_eq!(rejected.kind, Some(RejectionKind::MissingSignature));
    }
}

#[tokio::test(start_paused = true)]
async fn responds_to_rejected_head_before_polling_the_body() {
    for (kind, verify, request) in rejected_by_head() {
        let request = request.body([Turn::Data(EVENT), Turn::Data(EVENT)]);
        let polls = request.polls();
        let response = verify.reject(request).await;
        assert_eq!(response.kind, Some(kind));
        assert_eq!(polls.count(), 0, "{kind:?}");

        // The body is drained after the response headers are sent.
        assert_eq!(response.collect().await, problem(kind));
        assert_eq!(polls.count(), 3, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn never_polls_body_of_rejected_head_with_expect() {
    for (kind, verify, request) in rejected_by_head() {
        let request = request.header("expect", "100-continue").body([Turn::Stall]);
        let (polls, started) = (request.polls(), Instant::now());
        let response = verify.reject(request).await;
        assert!(polls.is_body_dropped(), "{kind:?}");
        assert_eq!(response.collect().await, problem(kind));
        assert_eq!(polls.count(), 0, "{kind:?}");
        assert_eq!(started.elapsed(), Duration::ZERO, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn drains_body_that_was_polled_despite_expect() {
    let chunk = Turn::Data(EVENT);
    let request = signed(EVENT).header("expect", "100-continue");
    let request = request.body([chunk, chunk, chunk]);
    let polls = request.polls();
    let response = verify().body_limit(EVENT.len()).reject(request).await;
    assert_eq!(response.kind, Some(RejectionKind::BodyTooLarge));
    assert_eq!(polls.count(), 2);
    response.collect().await;
    assert_eq!(polls.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn drains_up_to_the_body_limit() {
    let request = unsigned().body([Turn::Endless(&[0; 1000])]);
    let polls = request.polls();
    let verify = verify().body_limit(10_000);
    verify.reject(request).await.collect().await;
    assert_eq!(polls.count(), 11);
}

#[tokio::test(start_paused = true)]
async fn drains_up_to_the_deadline() {
    for (label, script) in [
        ("stalls", vec![Turn::Data(EVENT), Turn::Stall]),
        ("sends empty chunks", vec![Turn::Endless(b"")]),
        (
            "sends bytes slowly",
            [Turn::Wait(Duration::from_secs(2)), Turn::Data(b" ")].repeat(100),
        ),
    ] {
        let verify = verify().body_timeout(Duration::from_secs(7));
        let response = verify.reject(unsigned().body(script)).await;
        let started = Instant::now();
        let rejected = while_time_passes(response.collect()).await;
        assert_eq!(
            rejected,
            problem(RejectionKind::MissingSignature),
            "{label}"
        );
        assert_eq!(started.elapsed().as_secs(), 7, "{label}");
    }
}

#[tokio::test(start_paused = true)]
async fn drains_until_the_body_breaks() {
    let request = unsigned().body([Turn::Data(EVENT), Turn::Error, Turn::Stall]);
    let polls = request.polls();
    verify().reject(request).await.collect().await;
    assert_eq!(polls.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn never_drains_body_that_is_complete_broken_or_timed_out() {
    let forged = Turn::Data(b"forged");
    for (kind, script) in [
        (RejectionKind::SignatureMismatch, vec![forged]),
        (
            RejectionKind::SignatureMismatch,
            vec![forged, Turn::Trailers, Turn::Stall],
        ),
        (RejectionKind::BodyBroken, vec![Turn::Error, Turn::Stall]),
        (RejectionKind::BodyTimeout, vec![Turn::Stall]),
        (RejectionKind::BodyTimeout, vec![forged, Turn::Stall]),
    ] {
        let request = signed(EVENT).body(script);
        let polls = request.polls();
        let response = verify().reject(request).await;
        let (polled, responded) = (polls.count(), Instant::now());
        assert!(polls.is_body_dropped(), "{kind:?}");
        assert_eq!(response.collect().await, problem(kind));
        assert_eq!(polls.count(), polled, "{kind:?}");
        assert_eq!(responded.elapsed(), Duration::ZERO, "{kind:?}");
    }
}

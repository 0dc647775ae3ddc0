//! The contract for reading bodies within the limits.

use core::{pin::pin, time::Duration};
use std::sync::Arc;

use scrupp_verify_core::RejectionKind;
use tokio::time::{Instant, timeout};

use super::adapter::verify;
use crate::support::{
    EVENT, Middleware, PATH, Turn, genuine, problem, signed, unsigned, while_time_passes,
};

/// Returns content without a repeated sequence of eight bytes.
fn large(bytes: usize) -> &'static [u8] {
    let numbers = (0..bytes.div_ceil(8)).flat_map(|number| (number as u64).to_be_bytes());
    numbers.take(bytes).collect::<Vec<_>>().leak()
}

#[tokio::test(start_paused = true)]
async fn passes_complete_chunk_to_handler_without_copy() {
    let content = large(200_000);
    for content in [EVENT, content] {
        let received = verify().accept(genuine(content)).await;
        assert_eq!(received.body, content);
        assert_eq!(received.body.as_ptr(), content.as_ptr());
        assert_eq!(received.path, PATH);
    }
}

#[tokio::test(start_paused = true)]
async fn joins_chunks_of_any_size() {
    for (content, size) in [
        (EVENT, 1),
        (EVENT, 7),
        (EVENT, EVENT.len()),
        (large(200_000), 1000),
        (large(200_000), 16 * 1024),
        (large(200_000), 16 * 1024 + 1),
        (large(200_000), 150_000),
        (large(128 * 1024), 64 * 1024),
    ] {
        let chunks = content.chunks(size);
        let script = chunks.flat_map(|chunk| [Turn::Data(b""), Turn::Data(chunk)]);
        let undeclared = signed(content).body(script.clone());
        let declared = signed(content).length(content.len()).body(script.clone());
        let with_trailers = signed(content).body(script.chain([Turn::Trailers]));
        for request in [undeclared, declared, with_trailers] {
            let received = verify().accept(request).await;
            assert!(received.body == content, "{} by {size}", content.len());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn reads_hundreds_of_ready_chunks_without_waiting() {
    let chunks = large(1000).chunks(1);
    let script = chunks.flat_map(|chunk| [Turn::Data(chunk), Turn::Data(b"")]);
    let started = Instant::now();
    verify().accept(signed(large(1000)).body(script)).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn passes_empty_body_to_handler() {
    for request in [
        genuine(b""),
        signed(b""),
        signed(b"").body([Turn::Data(b""), Turn::Data(b"")]),
        signed(b"").body([Turn::Trailers]),
    ] {
        assert_eq!(verify().body_limit(0).accept(request).await.body, "");
    }
}

#[tokio::test(start_paused = true)]
async fn never_polls_beyond_the_declared_length_or_the_trailers() {
    let (start, end) = EVENT.split_at(20);
    let chunks = [Turn::Data(start), Turn::Data(end), Turn::Stall];
    let trailers = [Turn::Data(EVENT), Turn::Trailers, Turn::Stall];
    for request in [
        signed(EVENT).length(EVENT.len()).body(chunks),
        signed(EVENT).body(trailers),
    ] {
        let polls = request.polls();
        assert_eq!(verify().accept(request).await.body, EVENT);
        assert_eq!(polls.count(), 2);
    }

    for drained in [
        unsigned().length(EVENT.len()).body(chunks),
        unsigned().body(trailers),
    ] {
        let (polls, started) = (drained.polls(), Instant::now());
        verify().reject(drained).await.collect().await;
        assert_eq!(polls.count(), 2);
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn drops_request_body_before_handler_runs() {
    let request = genuine(EVENT);
    let polls = Arc::new(request.polls());
    let handler = move |_| {
        assert!(polls.is_body_dropped());
        async { Ok(200) }
    };
    verify().deliver(request, handler).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn accepts_body_of_exactly_the_limit() {
    let (start, end) = EVENT.split_at(20);
    for request in [
        genuine(EVENT),
        signed(EVENT).body([Turn::Data(EVENT)]),
        signed(EVENT).body([Turn::Data(start), Turn::Data(end), Turn::Trailers]),
    ] {
        let received = verify().body_limit(EVENT.len()).accept(request).await;
        assert_eq!(received.body, EVENT);
    }
}

#[tokio::test(start_paused = true)]
async fn rejects_body_that_exceeds_the_limit() {
    let (start, end) = EVENT.split_at(20);
    let first_chunk = |next| signed(EVENT).body([Turn::Data(EVENT), next]);
    for (label, request) in [
        ("declared", genuine(EVENT)),
        (
            "declared too short",
            signed(EVENT).length(1).body([Turn::Data(EVENT)]),
        ),
        ("first chunk, then an error", first_chunk(Turn::Error)),
        ("first chunk, then another", first_chunk(Turn::Data(b"."))),
        ("first chunk, then trailers", first_chunk(Turn::Trailers)),
        (
            "with the second chunk",
            signed(EVENT).body([Turn::Data(start), Turn::Data(end)]),
        ),
        (
            "endless",
            signed(EVENT).body([Turn::Endless(b"0123456789")]),
        ),
    ] {
        let verify = verify().body_limit(EVENT.len() - 1);
        let rejected = verify.reject(request).await.collect().await;
        assert_eq!(rejected, problem(RejectionKind::BodyTooLarge), "{label}");
    }
}

#[tokio::test(start_paused = true)]
async fn rejects_body_that_is_broken() {
    for script in [
        vec![Turn::Error],
        vec![Turn::Data(EVENT), Turn::Error],
        vec![Turn::Data(&EVENT[..10]), Turn::Error],
    ] {
        let rejected = verify().reject(signed(EVENT).body(script)).await;
        assert_eq!(rejected.collect().await, problem(RejectionKind::BodyBroken));
    }
}

#[tokio::test(start_paused = true)]
async fn rejects_body_that_was_not_signed() {
    for (label, script) in [
        ("missing", vec![]),
        ("forged", vec![Turn::Data(b"forged")]),
        ("cut", vec![Turn::Data(&EVENT[..10])]),
        (
            "cut by trailers",
            vec![Turn::Data(&EVENT[..10]), Turn::Trailers],
        ),
        (
            "with one more byte",
            vec![Turn::Data(EVENT), Turn::Data(b" ")],
        ),
    ] {
        let rejected = verify().reject(signed(EVENT).body(script)).await;
        let expected = problem(RejectionKind::SignatureMismatch);
        assert_eq!(rejected.collect().await, expected, "{label}");
    }
}

#[tokio::test(start_paused = true)]
async fn rejects_body_that_is_not_complete_at_the_deadline() {
    let second = Duration::from_secs(1);
    for (label, script) in [
        ("never begins", vec![Turn::Stall]),
        ("stalls", vec![Turn::Data(b"{"), Turn::Stall]),
        (
            "sends bytes slowly",
            [Turn::Wait(second), Turn::Data(b"{")].repeat(100),
        ),
        ("sends empty chunks", vec![Turn::Endless(b"")]),
    ] {
        let started = Instant::now();
        let verify = verify().body_timeout(3 * second);
        let rejected = verify.reject(signed(EVENT).body(script));
        let rejected = while_time_passes(rejected).await.collect().await;
        assert_eq!(rejected, problem(RejectionKind::BodyTimeout), "{label}");
        assert_eq!(started.elapsed().as_secs(), 3, "{label}");
    }
}

#[tokio::test(start_paused = true)]
async fn accepts_slow_body_that_is_complete_before_the_deadline() {
    let (start, end) = EVENT.split_at(20);
    let slow = signed(EVENT).body([
        Turn::Wait(Duration::from_millis(1500)),
        Turn::Data(start),
        Turn::Wait(Duration::from_millis(1400)),
        Turn::Data(end),
    ]);
    let verify = verify().body_timeout(Duration::from_secs(3));
    assert_eq!(verify.accept(slow).await.body, EVENT);
}

#[tokio::test(start_paused = true)]
async fn rejects_body_that_gets_no_budget_before_the_deadline() {
    let verify = verify().buffer_budget(100_000);
    let script = || [Turn::Data(large(20_000)), Turn::Stall];
    let longer = verify.clone().body_timeout(Duration::from_secs(60));
    let mut first = pin!(longer.reject(signed(EVENT).body(script())));
    let is_waiting = timeout(Duration::from_secs(1), &mut first).await.is_err();
    assert!(is_waiting);

    let second = signed(EVENT).body(script());
    let (polls, started) = (second.polls(), Instant::now());
    let verify = verify.body_timeout(Duration::from_secs(7));
    let rejected = verify.reject(second).await.collect().await;
    assert_eq!(rejected, problem(RejectionKind::OverBudget));
    assert_eq!(started.elapsed().as_secs(), 7);
    assert_eq!(polls.count(), 1, "drained");
}

#[tokio::test(start_paused = true)]
async fn default_limit_is_256_kib_and_default_deadline_is_10_s() {
    verify().accept(genuine(large(262_144))).await;
    let longer = large(262_145).chunks(1000).map(Turn::Data);
    let rejected = verify().reject(signed(EVENT).body(longer)).await;
    assert_eq!(rejected.kind, Some(RejectionKind::BodyTooLarge));

    let started = Instant::now();
    let rejected = verify().reject(signed(EVENT).body([Turn::Stall])).await;
    assert_eq!(rejected.kind, Some(RejectionKind::BodyTimeout));
    assert_eq!(started.elapsed().as_secs(), 10);
}

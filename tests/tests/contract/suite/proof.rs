//! The contract for the proof, the account lookup and the clock.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use scrupp_verify_core::{Account, RejectionKind, Secret, UnixTime, dedup::MemoryStore};
use scrupp_verify_tower::SharedKeyring;

use super::adapter::{ScruppVerify, verify, verify_with_lookup};
use crate::support::{EVENT, Middleware, NOW, Turn, genuine, problem, secret, signed, unsigned};

fn look_up(path: &str) -> Result<Option<Account>, &'static str> {
    match path {
        "/17" => Ok(Some(Account::new("17", secret()))),
        "/18" => Ok(Some(Account::new("18", Secret::new("another").unwrap()))),
        "/broken" => Err("no connection"),
        _ => Ok(None),
    }
}

#[tokio::test(start_paused = true)]
async fn proof_names_time_age_and_matching_secret() {
    let verified = verify().accept(genuine(EVENT)).await.verified;
    assert_eq!(verified.time(), UnixTime::from_secs(NOW));
    assert_eq!((verified.age_secs(), verified.secret_index()), (0, 0));
    assert_eq!(verified.account(), None);

    let rotation = ScruppVerify::new([Secret::new("newer").unwrap(), secret()])
        .clock(|| Some(UnixTime::from_secs(NOW + 12)));
    let verified = rotation.accept(genuine(EVENT)).await.verified;
    assert_eq!(verified.time(), UnixTime::from_secs(NOW));
    assert_eq!((verified.age_secs(), verified.secret_index()), (12, 1));
}

#[tokio::test(start_paused = true)]
async fn delivery_is_the_body_with_its_proof() {
    let received = verify().accept(genuine(EVENT)).await;
    assert_eq!(received.delivery.verified(), &received.verified);
    assert_eq!(received.delivery.body(), &received.body);
    // The body of the proof and the body of the handler are the same allocation.
    assert_eq!(received.delivery.body().as_ptr(), received.body.as_ptr());
}

#[tokio::test(start_paused = true)]
async fn new_keyring_applies_to_the_next_delivery() {
    let keyring = SharedKeyring::from(Secret::new("other").unwrap());
    let verify = ScruppVerify::new(keyring.clone())
        .clock(|| Some(UnixTime::from_secs(NOW)))
        .dedup(MemoryStore::default());
    let mismatch = verify.reject(genuine(EVENT)).await.collect().await;
    assert_eq!(mismatch, problem(RejectionKind::SignatureMismatch));

    keyring.replace([Secret::new("newer").unwrap(), secret()]);
    let received = verify.accept(genuine(EVENT)).await;
    assert_eq!(received.verified.secret_index(), 1);

    // The delivery id does not depend on the keyring.
    keyring.replace(secret());
    let duplicate = verify.reject(genuine(EVENT)).await;
    assert_eq!((duplicate.status, duplicate.kind), (200, None));

    keyring.replace(Secret::new("newest").unwrap());
    let mismatch = verify.reject(genuine(EVENT)).await.collect().await;
    assert_eq!(mismatch, problem(RejectionKind::SignatureMismatch));
}

#[tokio::test(start_paused = true)]
async fn proof_names_account_that_was_looked_up() {
    let request = genuine(EVENT).path("/17");
    let received = verify_with_lookup(look_up).accept(request).await;
    let account = Account::new("17", secret());
    assert_eq!(received.verified.account(), Some(account.id()));
    assert_eq!(received.path, "/17");
}

#[tokio::test(start_paused = true)]
async fn rejects_unknown_account_like_wrong_signature() {
    let reject = async |path, body| {
        let request = signed(EVENT).path(path).body([Turn::Data(body)]);
        verify_with_lookup(look_up)
            .reject(request)
            .await
            .collect()
            .await
    };
    let mut unknown = reject("/19", EVENT).await;
    assert_eq!(unknown, problem(RejectionKind::UnknownAccount));
    for (path, body) in [("/17", &b"forged"[..]), ("/18", EVENT)] {
        let mismatch = reject(path, body).await;
        assert_eq!(mismatch, problem(RejectionKind::SignatureMismatch));
        unknown.kind = mismatch.kind;
        assert_eq!(unknown, mismatch, "the client can distinguish them");
    }
}

#[tokio::test(start_paused = true)]
async fn reads_body_of_unknown_account() {
    let request = genuine(EVENT).path("/19");
    let polls = request.polls();
    verify_with_lookup(look_up).reject(request).await;
    assert_eq!(polls.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn never_looks_up_account_of_rejected_headers() {
    let verify = verify_with_lookup(|_| panic!("the account is looked up"));
    for (request, kind) in [
        (unsigned(), RejectionKind::MissingSignature),
        (signed(EVENT).length(262_145), RejectionKind::BodyTooLarge),
    ] {
        let rejected = verify.reject(request).await.collect().await;
        assert_eq!(rejected, problem(kind));
    }
}

#[tokio::test(start_paused = true)]
async fn reads_clock_once_when_the_headers_arrive() {
    let reads = Arc::new(AtomicU64::new(0));
    let clock = {
        let reads = Arc::clone(&reads);
        // Later reads return times that are years away in either direction.
        move || match reads.fetch_add(1, Ordering::Relaxed) {
            0 => Some(UnixTime::from_secs(NOW)),
            1 => Some(UnixTime::from_secs(1)),
            _ => Some(UnixTime::from_secs(u64::MAX)),
        }
    };
    let verify = verify().clock(clock);
    let chunks = EVENT.chunks(5).map(Turn::Data);
    verify.accept(signed(EVENT).body(chunks)).await;
    assert_eq!(reads.load(Ordering::Relaxed), 1);
    for kind in [RejectionKind::InFuture, RejectionKind::TooOld] {
        let rejected = verify.reject(genuine(EVENT)).await.collect().await;
        assert_eq!(rejected, problem(kind));
    }
}

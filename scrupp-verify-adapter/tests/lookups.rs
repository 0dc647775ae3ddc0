//! Limits of account lookups: number and time.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::{
    convert::Infallible,
    future::pending,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use scrupp_verify_adapter::{Config, Rejected};
use scrupp_verify_core::{Account, RejectionKind, Secret, Signer, UnixTime};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

fn secret() -> Secret {
    Secret::new("topsecret").unwrap()
}

/// Receives a genuine delivery.
async fn receive(config: &Config<(), ()>) -> Result<(), Rejected> {
    let headers = Signer::new(&secret()).sign(UnixTime::now().unwrap(), b"{}");
    let mut body = Full::new(Bytes::from("{}"));
    let received = config.receive(&headers, &(), None, &mut body).await;
    received.map(|accepted| assert!(accepted.is_some()))
}

#[tokio::test(start_paused = true)]
async fn at_most_64_lookups_run_at_once_and_others_wait() {
    let (running, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let lookup = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        move |_: &()| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                let now = running.fetch_add(1, Ordering::Relaxed) + 1;
                most.fetch_max(now, Ordering::Relaxed);
                sleep(Duration::from_millis(100)).await;
                running.fetch_sub(1, Ordering::Relaxed);
                Ok::<_, Infallible>(Some(Account::new("17", secret())))
            }
        }
    };
    let config: Arc<Config<(), ()>> = Arc::new(Config::with_account_lookup(lookup, ()));
    let mut tasks = JoinSet::new();
    for _ in 0..1000 {
        let config = Arc::clone(&config);
        tasks.spawn(async move { receive(&config).await });
    }
    for received in tasks.join_all().await {
        received.unwrap();
    }
    assert_eq!(most.load(Ordering::Relaxed), 64);
}

#[tokio::test(start_paused = true)]
async fn hanging_lookups_end_with_the_body_timeout_and_start_no_others() {
    let started = Arc::<AtomicUsize>::default();
    let lookup = {
        let started = Arc::clone(&started);
        move |_: &()| {
            started.fetch_add(1, Ordering::Relaxed);
            pending::<Result<Option<Account>, Infallible>>()
        }
    };
    let config: Arc<Config<(), ()>> = Arc::new(Config::with_account_lookup(lookup, ()));
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..1000 {
        let config = Arc::clone(&config);
        tasks.spawn(async move { receive(&config).await });
    }
    for received in tasks.join_all().await {
        let rejection = received.unwrap_err().rejection;
        assert_eq!(rejection.kind(), RejectionKind::SecretsUnavailable);
    }
    assert_eq!(begin.elapsed().as_secs(), 10);
    assert_eq!(started.load(Ordering::Relaxed), 64);
}

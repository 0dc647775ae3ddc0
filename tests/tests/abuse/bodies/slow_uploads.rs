//! Small deliveries while slow uploads fill the budget.

use core::time::Duration;
use std::time::Instant;

use scrupp_verify_tests::{FrontEnd, signed};
use tokio::time::timeout;

use super::{alone, slow_uploads};
use crate::{abuse, deliver};

const UPLOADS: usize = 900;

const DELIVERIES: u64 = 22;

/// Time limit of a delivery.
const TIMEOUT: Duration = Duration::from_secs(1);

abuse! { slow_uploads_do_not_delay_small_deliveries:
    axum_slow_uploads_do_not_delay_small_deliveries "example-axum",
    actix_slow_uploads_do_not_delay_small_deliveries "example-actix",
    warp_slow_uploads_do_not_delay_small_deliveries "example-warp",
    hyper_slow_uploads_do_not_delay_small_deliveries "example-hyper",
    custom_slow_uploads_do_not_delay_small_deliveries "example-custom",
}

/// Asserts that 22 genuine deliveries of 200 bytes, one after another, get 200 within a second
/// each, and half of them within 100 ms. Meanwhile 900 forged uploads of the largest size fill the
/// budget.
///
/// Fails if the first bytes of a body wait for budget.
async fn slow_uploads_do_not_delay_small_deliveries(front_end: FrontEnd) {
    let _alone = alone().await;
    let server = front_end.start().await;
    let _uploads = slow_uploads(&server, UPLOADS).await;
    let mut accepted = 0;
    let mut latencies = Vec::new();
    for number in 0..DELIVERIES {
        let mut small = signed(1_000_000 + number);
        small.pad_to(200);
        let began = Instant::now();
        let status = timeout(TIMEOUT, deliver(server.address(), &small)).await;
        accepted += u64::from(matches!(status, Ok(Some(200))));
        latencies.push(began.elapsed());
    }
    latencies.sort();
    let median = latencies[latencies.len() / 2];
    println!(
        "{front_end:?}: {accepted} of {DELIVERIES} got 200 within {TIMEOUT:?}, median {median:?}, \
         maximum {:?}",
        latencies[latencies.len() - 1]
    );
    assert_eq!(accepted, DELIVERIES, "deliveries that got 200");
    assert!(
        median < Duration::from_millis(100),
        "{median:?} for a small delivery"
    );
}

//! The trouble with first attempts.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use tokio::sync::Notify;

/// The last digit of a task whose transaction is rolled back.
pub(crate) const FAILS: i64 = 2;
/// The last digit of a task whose handler takes until it is told to continue.
pub(crate) const IS_LATE: i64 = 3;

pub(crate) static WAITS: Notify = Notify::const_new();
pub(crate) static CONTINUE: Notify = Notify::const_new();

/// How often the handler ran.
pub(crate) static RUNS: AtomicUsize = AtomicUsize::new(0);

/// Makes the first attempt at a task late, or returns true if it fails.
pub(crate) async fn at_first(process_id: i64) -> bool {
    static HAS_FAILED: AtomicBool = AtomicBool::new(false);
    static WAS_LATE: AtomicBool = AtomicBool::new(false);
    match process_id % 10 {
        FAILS => !HAS_FAILED.swap(true, Relaxed),
        IS_LATE if !WAS_LATE.swap(true, Relaxed) => {
            WAITS.notify_one();
            CONTINUE.notified().await;
            false
        }
        _ => false,
    }
}

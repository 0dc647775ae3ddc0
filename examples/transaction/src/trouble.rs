//! Failures and delays of first attempts.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use tokio::sync::Notify;

/// The last digit of process ids whose first transaction is rolled back.
pub(crate) const FAILS: i64 = 2;
/// The last digit of process ids whose first handler waits for [`CONTINUE`].
pub(crate) const EXCEEDS_LEASE: i64 = 3;

/// Signals that a handler waits for [`CONTINUE`].
pub(crate) static WAITING: Notify = Notify::const_new();
pub(crate) static CONTINUE: Notify = Notify::const_new();

/// The number of handler runs.
pub(crate) static RUNS: AtomicUsize = AtomicUsize::new(0);

/// Delays the first attempt at a task whose process id ends with [`EXCEEDS_LEASE`].
///
/// Returns true for the first attempt at a task whose process id ends with [`FAILS`].
pub(crate) async fn at_first(process_id: i64) -> bool {
    static HAS_FAILED: AtomicBool = AtomicBool::new(false);
    static HAS_WAITED: AtomicBool = AtomicBool::new(false);
    match process_id % 10 {
        FAILS => !HAS_FAILED.swap(true, Relaxed),
        EXCEEDS_LEASE if !HAS_WAITED.swap(true, Relaxed) => {
            WAITING.notify_one();
            CONTINUE.notified().await;
            false
        }
        _ => false,
    }
}

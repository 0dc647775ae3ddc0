//! Large, slow and padded bodies: the memory that they use, and the time that they cost other
//! deliveries.

mod at_once;
mod http2_streams;
mod padded_chunks;
mod slow_uploads;

use core::time::Duration;
use std::{sync::Arc, time::Instant};

use scrupp_verify_tests::{Delivery, Process, Server, signed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Mutex, MutexGuard},
    task::JoinSet,
    time::sleep,
};

use crate::{KIB, MIB, process};

/// The default body limit.
const BODY_LIMIT: usize = 256 * KIB as usize;

/// The default budget.
const BUDGET: u64 = 64 * MIB;

/// Waits until no other test of this module runs, because each test uses every processor.
async fn alone() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::const_new(());
    RUNNING.lock().await
}

/// Returns a delivery of this size, signed with a secret that the server does not have.
fn forged(bytes: usize) -> Delivery {
    let mut forged = signed(1);
    forged.pad_to(bytes);
    forged.sign_with("another", forged.now);
    forged
}

/// Fills the budget from `count` connections. Each connection sends all but the last byte of a
/// forged delivery of the largest size. After the server ends the connection, the upload starts
/// again.
///
/// Dropping the set ends the uploads.
async fn slow_uploads(server: &Server, count: usize) -> JoinSet<()> {
    let address = server.address();
    let mut growth = Growth::of(process(server));
    let mut request = forged(BODY_LIMIT).request();
    request.pop();
    let request: Arc<[u8]> = request.into();
    let mut uploads = JoinSet::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = Arc::clone(&request);
        uploads.spawn(async move {
            loop {
                let _ = stream.write_all(&request).await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
                let Ok(next) = TcpStream::connect(address).await else {
                    return;
                };
                stream = next;
            }
        });
    }
    growth.settle(Duration::from_secs(5)).await;
    assert!(
        growth.peak > BUDGET * 7 / 8,
        "{} MiB do not fill the budget",
        growth.peak / MIB
    );
    uploads
}

/// Growth of a process's resident memory since a first measurement.
struct Growth {
    process: Process,
    initial: u64,
    peak: u64,
}

impl Growth {
    fn of(process: Process) -> Self {
        Self {
            process,
            initial: process.resident_bytes(),
            peak: 0,
        }
    }

    /// Measures for `at_most`, or until the process has been idle for half a second.
    async fn settle(&mut self, at_most: Duration) {
        let began = Instant::now();
        let (mut cpu_time, mut busy) = (Duration::ZERO, began);
        while began.elapsed() < at_most && busy.elapsed() < Duration::from_millis(500) {
            let now = self.process.resident_bytes();
            self.peak = self.peak.max(now.saturating_sub(self.initial));
            if self.process.cpu_time() > cpu_time {
                (cpu_time, busy) = (self.process.cpu_time(), Instant::now());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

//! Chunks that are much larger on the wire than their content.

use core::time::Duration;
use std::sync::Arc;

use scrupp_verify_tests::FrontEnd;
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

use super::{BODY_LIMIT, BUDGET, Growth, alone, forged};
use crate::{KIB, MIB, abuse, process};

const CONNECTIONS: usize = 20;

const CHUNK_BYTES: usize = 4 * KIB as usize;

/// Leading zeros in the size line of each chunk. hyper accepts any number of them, and reads up to
/// 408 KiB at once. The padding is short enough for at least one chunk in each read buffer. A chunk
/// that is kept without a copy keeps its read buffer in memory.
const PADDING_BYTES: usize = 128 * KIB as usize;

abuse! { padded_chunks_do_not_exceed_the_budget:
    axum_padded_chunks_do_not_exceed_the_budget "example-axum",
    actix_padded_chunks_do_not_exceed_the_budget "example-actix",
    warp_padded_chunks_do_not_exceed_the_budget "example-warp",
    hyper_padded_chunks_do_not_exceed_the_budget "example-hyper",
    custom_padded_chunks_do_not_exceed_the_budget "example-custom",
}

/// Asserts that 20 forged bodies of nearly 256 KiB with 8 MiB of padding each use at most
/// 32 MiB more than the budget.
///
/// Fails if the memory behind the chunks exceeds what the budget counts. actix-web reads ahead on
/// its own, so its numbers are only printed.
async fn padded_chunks_do_not_exceed_the_budget(front_end: FrontEnd) {
    let _alone = alone().await;
    let server = front_end.start().await;
    let body = forged(BODY_LIMIT - CHUNK_BYTES);
    let head = body.head("Transfer-Encoding: chunked");
    let padding = "0".repeat(PADDING_BYTES);
    let chunks = body.body.chunks(CHUNK_BYTES).map(|chunk| {
        let line = format!("{padding}{:x}\r\n", chunk.len());
        [line.as_bytes(), chunk, b"\r\n"].concat()
    });
    let request: Arc<[u8]> = [head, chunks.collect::<Vec<_>>().concat()].concat().into();

    let mut growth = Growth::of(process(&server));
    let mut uploads = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let request = Arc::clone(&request);
        uploads.spawn(async move {
            let _ = stream.write_all(&request).await;
            // The last chunk never arrives, and the connection stays open.
            stream
        });
    }
    // The server rejects an incomplete body after 10 s.
    growth.settle(Duration::from_millis(9500)).await;
    let peak = growth.peak;
    println!(
        "{front_end:?}: {} MiB for {} MiB sent",
        peak / MIB,
        (CONNECTIONS * request.len()) as u64 / MIB
    );
    assert!(
        peak < BUDGET + 32 * MIB || front_end.is_actix(),
        "{} MiB held",
        peak / MIB
    );
}

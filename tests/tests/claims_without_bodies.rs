//! Clients that declare large bodies and send little of them, against the example servers.
//!
//! Memory use depends on the received bytes, and waiting uses no processor time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;
use std::time::Instant;

use scrupp_verify_tests::{
    Connection, Delivery, FrontEnd, Process, Response, Server, Step, signed,
};
use tokio::{task::JoinSet, time::sleep};

const CONNECTIONS: u64 = 50;
/// The beginning of a body, because Rocket waits for 14 bytes before it calls a guard.
const BEGUN: &[u8] = br#"{"event":"task"#;
const MIB: u64 = 1 << 20;

/// Opens connections, and sends a part of a delivery on each.
async fn open(server: &Server, sent: impl Fn(&Delivery) -> Vec<u8>) -> Vec<Connection> {
    let mut connections = Vec::new();
    for id in 0..CONNECTIONS {
        let mut connection = Connection::open(server.address()).await.unwrap();
        let steps = [Step::Send(sent(&signed(9_000_000 + id)))];
        connection.send(&steps).await.unwrap();
        connections.push(connection);
    }
    connections
}

async fn responses(connections: Vec<Connection>) -> Vec<Response> {
    let mut reading = JoinSet::new();
    for mut connection in connections {
        reading.spawn(async move { connection.response().await.unwrap() });
    }
    reading.join_all().await
}

/// Starts a server, and opens and closes [`CONNECTIONS`] connections, so that the server has the
/// threads and allocator arenas that they need.
async fn warm(front_end: FrontEnd) -> (Server, Process) {
    let server = front_end.start().await;
    let process = Process::new(server.pid().unwrap());
    let connections = open(&server, Delivery::head_with_length).await;
    sleep(Duration::from_millis(500)).await;
    drop(connections);
    sleep(Duration::from_millis(500)).await;
    (server, process)
}

/// Asserts that memory has not grown, except for buffers of the connections.
fn assert_flat(process: Process, (resident, address_space): (u64, u64), label: String) {
    let resident = process.resident_bytes().saturating_sub(resident);
    let address_space = process.address_space_bytes().saturating_sub(address_space);
    assert!(
        resident < 4 * MIB,
        "{label}: {resident} more bytes resident"
    );
    // A thread that starts late reserves address space.
    assert!(
        address_space < 256 * MIB,
        "{label}: {address_space} more bytes reserved"
    );
}

async fn declared_lengths_reserve_no_memory(front_end: FrontEnd) {
    let (server, process) = warm(front_end).await;
    let before = (process.resident_bytes(), process.address_space_bytes());

    let connections = open(&server, |delivery| {
        [
            delivery.head("Content-Length: 4294967296").as_slice(),
            BEGUN,
        ]
        .concat()
    });
    let connections = connections.await;
    assert_flat(process, before, format!("{front_end:?}, 4 GiB declared"));
    for response in responses(connections).await {
        assert_eq!(response.status, 413);
    }

    let connections = open(&server, |delivery| {
        [delivery.head("Content-Length: 262144").as_slice(), BEGUN].concat()
    });
    let connections = connections.await;
    sleep(Duration::from_millis(500)).await;
    assert_flat(
        process,
        before,
        format!("{front_end:?}, the limit declared"),
    );

    let (started, cpu_time) = (Instant::now(), process.cpu_time());
    sleep(Duration::from_secs(3)).await;
    let busy = process.cpu_time() - cpu_time;
    let idle = started.elapsed() / 10;
    assert!(
        busy < idle,
        "{front_end:?}: {busy:?} of processor time while the connections wait"
    );

    for response in responses(connections).await {
        assert_eq!(response.status, 408);
    }
    assert_flat(process, before, format!("{front_end:?}, afterwards"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declared_lengths_reserve_no_memory_in_any_front_end() {
    let mut checks = JoinSet::new();
    for front_end in FrontEnd::EXAMPLES {
        checks.spawn(declared_lengths_reserve_no_memory(front_end));
    }
    checks.join_all().await;
}

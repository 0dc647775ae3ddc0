//! Memory that incomplete deliveries occupy in a server.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use scrupp_verify_benches::delivery::{self, sign};

use crate::{
    figure::Figure,
    load::{Result, Server},
};

const CONNECTIONS: u32 = 1000;
const LIMIT: usize = 256 * 1024;
const IN_FLIGHT: usize = 200 * 1024;

pub(crate) fn figures() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (name, with, without) in [
        ("axum", "axum-layer", "axum-bare"),
        ("actix", "actix-middleware", "actix-bare"),
    ] {
        let stalled = per_connection(with, 0)? - per_connection(without, 0)?;
        figures.push(Figure::at_most(
            format!("{name}_bytes_per_stalled_connection"),
            stalled,
            2048.0,
        ));
        let in_flight = per_connection(with, IN_FLIGHT)?;
        figures.push(Figure::at_most(
            format!("{name}_memory_in_flight_per_bytes_received"),
            in_flight / IN_FLIGHT as f64,
            2.3,
        ));
        let without = per_connection(without, IN_FLIGHT)?;
        figures.push(Figure::reported(
            format!("{name}_memory_in_flight_per_bytes_received_without"),
            without / IN_FLIGHT as f64,
        ));
    }
    Ok(figures)
}

/// Returns the memory that a connection adds to a server, in bytes.
///
/// Each connection declares a body at the limit, and sends only the first `sent` bytes.
fn per_connection(variant: &str, sent: usize) -> Result<f64> {
    let server = Server::start(variant)?;
    let body = delivery::body(LIMIT);
    let head = head(&body);
    let (sent, _) = body.split_at_checked(sent).ok_or("more than the body")?;
    // One complete delivery, so that one-time allocations do not count.
    let mut first = TcpStream::connect(("127.0.0.1", server.port))?;
    first.write_all(head.as_bytes())?;
    first.write_all(&body)?;
    settle(server.port)?;
    drop(first);
    let before = server.resident_bytes()?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = TcpStream::connect(("127.0.0.1", server.port))?;
        connection.write_all(head.as_bytes())?;
        connection.write_all(sent)?;
        connections.push(connection);
    }
    settle(server.port)?;
    let added = server.resident_bytes()? as f64 - before as f64;
    Ok(added / f64::from(CONNECTIONS))
}

fn head(body: &[u8]) -> String {
    let signed = sign(body);
    format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\
         X-Scrupp-Timestamp: {}\r\nX-Scrupp-Signature: {}\r\n\r\n",
        body.len(),
        signed.timestamp(),
        signed.signature(),
    )
}

/// Waits until the server has read everything that was sent.
fn settle(port: u16) -> Result<()> {
    // After the body timeout, the server rejects the bodies.
    let deadline = Instant::now() + Duration::from_secs(8);
    loop {
        thread::sleep(Duration::from_millis(100));
        if queued(port)? == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err("the server does not read the bodies".into());
        }
    }
}

/// Returns the bytes in the queues of the connections to this port, at both ends.
fn queued(port: u16) -> Result<u64> {
    let suffix = format!(":{port:04X}");
    let mut bytes = 0;
    for line in fs::read_to_string("/proc/net/tcp")?.lines().skip(1) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, local, remote, state, queues, ..] = fields.as_slice() else {
            continue;
        };
        let (sending, receiving) = queues.split_once(':').unwrap_or_default();
        // For a listening socket, the queue is the number of connections that are not accepted yet.
        if *state == "0A" && local.ends_with(&suffix) || *state == "01" && remote.ends_with(&suffix)
        {
            bytes += u64::from_str_radix(sending, 16)?;
        }
        if local.ends_with(&suffix) {
            bytes += u64::from_str_radix(receiving, 16)?;
        }
    }
    Ok(bytes)
}

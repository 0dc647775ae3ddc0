use core::sync::atomic::{AtomicU32, Ordering};
use std::{
    net::{Ipv4Addr, TcpListener},
    process,
};

/// Returns a free port of 127.0.0.1 for a server that is about to start.
///
/// The port is below the ephemeral ports of Linux, so no connection can take it before the server
/// does.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 22_000;
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Test programs that run at the same time start at different ports.
    let begin = process::id().wrapping_mul(101);
    loop {
        let number = begin.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed));
        let port = (FIRST + number % PORTS) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

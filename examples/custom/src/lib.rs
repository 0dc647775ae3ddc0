//! A small HTTP/1.1 server that knows what it takes to receive deliveries, and no more: one request
//! a connection, a thread each, `scrupp-verify-core` alone.

mod answer;
mod connection;
mod framing;
mod head;
mod receiver;

pub use answer::Answer;
pub use framing::{Framing, FramingError};
pub use head::{Head, HeadError};
pub use receiver::{Receiver, serve, serve_all};

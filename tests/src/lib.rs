//! What every front end has to do, over real sockets: the front ends, a client that sends what it
//! is told to, and the conformance table.
#![expect(
    clippy::indexing_slicing,
    reason = "a test that cannot go on may panic"
)]

mod client;
mod front_end;
mod table;

pub use client::{Connection, Response, Step};
pub use front_end::{FrontEnd, Server};
pub use table::{Expected, Row, check, http1_rows};

/// What all deliveries here are signed with.
pub const SECRET: &str = "topsecret";

/// What they may be signed with too.
pub const PREVIOUS_SECRET: &str = "formersecret";

//! The conformance table: deliveries that show whether a receiver verifies as it should, over HTTP/1.1.
//!
//! `scrupp-verify doctor` sends them to any receiver. The tests of this project send them to its own.

#![forbid(unsafe_code)]

mod connection;
mod delivery;
mod expected;
mod table;

pub use connection::{Connection, Response, Step};
pub use delivery::{Delivery, Headers, Recipient, SIGNATURE, TIMESTAMP};
pub use expected::Expected;
pub use table::{Group, Level, Row, http1_rows};

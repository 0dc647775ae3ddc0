//! Conformance table: deliveries over HTTP/1.1 that test a receiver.
//!
//! `scrupp-verify doctor` sends the deliveries to any receiver. The tests of scrupp-verify send them to its
//! adapters and examples.

#![forbid(unsafe_code)]

mod connection;
mod delivery;
mod expected;
mod table;

pub use connection::{Connection, Response, Step};
pub use delivery::{Delivery, Headers, Recipient, SIGNATURE, TIMESTAMP};
pub use expected::Expected;
pub use table::{Group, Level, Row, http1_rows};

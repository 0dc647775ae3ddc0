//! What the middleware owes the handler inside, the server outside, and a body that misbehaves.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod body;
mod claims;
mod extract;
mod places;
mod refusals;
mod server;
mod support;

//! The middleware in actix-web: placement, extractors and real servers.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod claims;
mod extract;
mod places;
mod rejection_body;
mod server;
mod support;
mod wire;

//! What the example servers have in common, and what is not about Scrupp's deliveries: reading the
//! environment, a list of what was handled, and serving hyper's connections.

pub mod deliveries;
#[cfg(feature = "server")]
pub mod server;
pub mod settings;

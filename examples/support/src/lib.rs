//! Parts of the example servers that are not about signatures: settings, errors at start, a list of
//! handled events, metrics, and serving hyper's connections.

pub mod deliveries;
pub mod errors;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "server")]
pub mod pages;
#[cfg(feature = "server")]
pub mod server;
pub mod settings;
#[cfg(feature = "server")]
mod stream;

//! What every adapter for a server framework is built on, so that none of them decides anything.
//!
//! An adapter shows the [`Gate`] the head, pushes the body into the [`Intake`] it gets, and runs
//! the handler if that ends with a [`Verified`](crate::Verified). The setters that all adapters
//! have are written once, in [`setters!`].

mod body_buffer;
mod gate;
mod intake;
mod log;
mod setters;

pub use crate::adapter_setters as setters;
pub use gate::{Gate, Opening};
pub use intake::Intake;
pub use log::log_rejected;

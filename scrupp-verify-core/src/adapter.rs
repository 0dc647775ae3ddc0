//! What every adapter for a server framework is built on, so that none of them decides anything.
//!
//! An adapter shows its [`Gate`] a request's head and body, gets a [`Reception`], and polls it:
//! what comes out is a verified delivery for the handler, or a refusal to answer. The setters that
//! all adapters have are written once, in [`setters!`].

mod body_buffer;
mod budget;
mod claims;
mod deadline;
mod extract;
mod gate;
mod intake;
mod log;
mod pump;
mod reception;
mod setters;
mod source;

pub use crate::adapter_setters as setters;
pub use budget::Budget;
pub use claims::{Dedup, HeldClaim, Settling};
pub use extract::ExtractError;
pub use gate::Gate;
pub use reception::{Admitted, Outcome, Reception, Refused, Rest};
pub use source::{BodyStream, Broken};

//! The rules for handling a delivery once, although it is received several times.
//!
//! Scrupp sends a delivery again until the response is a 2xx, and a recorded delivery can be replayed
//! while its timestamp is inside the window. So an adapter claims each verified delivery in a
//! [`DeliveryStore`] before the handler runs:
//!
//! | result of the claim | response |
//! |---|---|
//! | [`Claim::Granted`] | that of the handler; a 2xx commits the claim, anything else releases it |
//! | [`Claim::InFlight`] | 503: another attempt is being handled, and Scrupp tries again |
//! | [`Claim::Acknowledged`] | 200: the delivery is a duplicate, and the handler does not run |
//! | an error, or none in time | 503: without its store, no delivery is handled |
//!
//! A claim has a lease: if its holder crashes, the delivery can be claimed again once the lease has
//! expired. A claim also has a [`ClaimToken`], so a late attempt cannot end the claim of another.
//!
//! [`Record`] holds these rules without any I/O. A store keeps records, or applies the same rules in
//! its own language.

mod claimed;
mod delivery_id;
#[cfg(feature = "std")]
mod memory;
mod record;
mod store;

pub use claimed::Claimed;
pub use delivery_id::DeliveryId;
#[cfg(feature = "std")]
pub use memory::{MemoryStore, MemoryStoreError};
pub use record::{Claim, ClaimToken, Record};
pub use store::DeliveryStore;

//! Handling a delivery once, though it comes several times.
//!
//! Scrupp delivers until it is answered 2xx, and a recorded delivery can be replayed while its
//! timestamp is inside the window. So each verified delivery is claimed in a [`DeliveryStore`]
//! before the handler runs:
//!
//! | the store says | what happens |
//! |---|---|
//! | [`Claim::Granted`] | the handler runs; 2xx commits the claim, anything else releases it |
//! | [`Claim::InFlight`] | 503: another attempt is being handled, Scrupp tries again |
//! | [`Claim::Acknowledged`] | 200: it was handled, and the handler does not run again |
//! | an error, or nothing in time | 503: a store that is down never lets a delivery through |
//!
//! A claim has a lease: if its holder crashes, the delivery can be claimed again once the lease has
//! expired. A claim also has a [`ClaimToken`], so a late attempt cannot end the claim of another.
//!
//! [`Record`] holds these rules without any I/O; a store keeps records, or does the same in its
//! own words.

mod delivery_id;
#[cfg(feature = "std")]
mod memory;
mod record;
mod store;

pub use delivery_id::DeliveryId;
#[cfg(feature = "std")]
pub use memory::{MemoryStore, MemoryStoreError};
pub use record::{Claim, ClaimToken, Record};
pub use store::DeliveryStore;

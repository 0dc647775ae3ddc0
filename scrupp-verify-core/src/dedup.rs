//! Rules for handling each event once.
//!
//! Scrupp retries a delivery until the response is a 2xx. In addition, an attacker can replay a
//! recorded delivery while its timestamp is within the tolerance. The adapters therefore claim each
//! verified delivery in a [`DeliveryStore`] before the handler runs:
//!
//! - [`Claim::Granted`]: the handler runs. A 2xx commits the claim, and any other response releases
//!   it.
//! - [`Claim::InFlight`]: the response is a 503, so Scrupp retries the delivery later.
//! - [`Claim::Acknowledged`]: the response is a 200, and the handler does not run.
//! - An error or a timeout: the response is a 503, and the handler does not run.
//!
//! Each claim has a lease. If a process crashes, its deliveries can be claimed again after the
//! leases expire. Each claim also has a [`ClaimToken`], so an attempt that outlives its lease cannot
//! commit or release the claim of another attempt.
//!
//! [`Record`] implements these rules without I/O. A store can keep records, or implement the same
//! rules in its own query language.

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

use bytes::Bytes;
use scrupp_verify_core::{Rejection, RejectionKind, VerifiedDelivery, events::Event};

use crate::{claims::Claimed, log};

/// Parses the event of a delivery, for an extractor. Both arguments are values in the request's
/// extensions.
///
/// # Errors
///
/// [`RejectionKind::NotVerified`] if there is no delivery, and [`RejectionKind::NotAnEvent`] if
/// [`Event::parse`] fails. Both are logged.
pub fn read_event(
    delivery: Option<&VerifiedDelivery<Bytes>>,
    claimed: Option<&Claimed>,
) -> Result<Event, Rejection> {
    let delivery = delivery.ok_or_else(|| {
        log::error("a handler extracts a verified delivery, but ScruppVerify does not wrap it");
        RejectionKind::NotVerified
    })?;
    Event::parse(delivery).map_err(|error| {
        log::not_an_event(&error, delivery, claimed.map(Claimed::id));
        RejectionKind::NotAnEvent.into()
    })
}

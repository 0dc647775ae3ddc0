use bytes::Bytes;
use scrupp_verify_core::{Rejection, RejectionKind, VerifiedDelivery, events::Event};

use crate::log;

/// Reads the event of a delivery for an extractor, from what the adapter left in the request's
/// extensions.
///
/// # Errors
///
/// [`RejectionKind::NotVerified`] if there is no delivery, and [`RejectionKind::NotAnEvent`] if
/// [`Event::parse`] fails. Both are logged as errors.
pub fn read_event(delivery: Option<&VerifiedDelivery<Bytes>>) -> Result<Event, Rejection> {
    let delivery = delivery.ok_or_else(|| {
        log::error("a handler asks for a verified delivery, but ScruppVerify is not around it");
        RejectionKind::NotVerified
    })?;
    Event::parse(delivery).map_err(|error| {
        log::failed("a verified delivery is not an event", &error);
        RejectionKind::NotAnEvent.into()
    })
}

use scrupp_verify_core::{Rejection, RejectionKind, Verified, events::Event};

use crate::log;

/// Reads the event of a delivery for an extractor. `proof` is what the adapter left with the
/// request.
///
/// # Errors
///
/// [`RejectionKind::NotVerified`] if there is no proof, and [`RejectionKind::NotAnEvent`] if
/// [`Event::parse`] fails. Both are logged as errors.
pub fn read_event(proof: Option<Verified>, body: &[u8]) -> Result<Event, Rejection> {
    if proof.is_none() {
        log::error("a handler asks for a verified delivery, but ScruppVerify is not around it");
        return Err(RejectionKind::NotVerified.into());
    }
    Event::parse(body).map_err(|error| {
        log::failed("a verified delivery is not an event", &error);
        RejectionKind::NotAnEvent.into()
    })
}

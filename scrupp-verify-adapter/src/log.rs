//! The log of the adapters: kinds, ages, indices and ids, never a byte of a header or a body.
#![cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "nothing is logged")
)]

use core::fmt::Display;

use scrupp_verify_core::{AccountId, Rejection, RejectionKind, Verified};

use crate::claims::DeliveryId;

/// The largest age in the log, a day. A client that nobody knows can send any timestamp.
#[cfg(feature = "tracing")]
const MAX_AGE_SECS: i64 = 86_400;

macro_rules! event {
    ($level:ident, $($fields:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::$level!(target: "scrupp_verify", $($fields)*)
    };
}

/// Logs a verified delivery with its outcome.
macro_rules! outcome {
    ($level:ident, $verified:expr, $id:expr, $outcome:literal, $status:expr, $text:literal) => {
        event!(
            $level,
            outcome = $outcome,
            status = $status,
            delivery_id = $id.map(tracing::field::display),
            account = $verified.account().map(tracing::field::display),
            age_secs = $verified.age_secs(),
            secret_index = $verified.secret_index(),
            $text
        )
    };
}

/// Returns whether the log takes anything, so that a delivery's id is worth computing.
pub(crate) fn is_enabled() -> bool {
    #[cfg(feature = "tracing")]
    return tracing::enabled!(target: "scrupp_verify", tracing::Level::WARN);
    #[cfg(not(feature = "tracing"))]
    false
}

/// A handler responded.
pub(crate) fn responded(verified: &Verified, id: Option<DeliveryId>, status: u16) {
    if (200..=299).contains(&status) {
        outcome!(info, verified, id, "handled", status, "delivery handled");
    } else {
        outcome!(info, verified, id, "failed", status, "delivery not handled");
    }
}

/// A delivery was handled before.
pub(crate) fn duplicate(verified: &Verified, id: Option<DeliveryId>) {
    outcome!(
        info,
        verified,
        id,
        "duplicate",
        200,
        "delivery handled before"
    );
}

/// A handler did not get to its response.
pub(crate) fn dropped(verified: &Verified, id: Option<DeliveryId>, panicked: bool) {
    let status = None::<u16>;
    if panicked {
        outcome!(
            warn,
            verified,
            id,
            "panicked",
            status,
            "the handler panicked"
        );
    } else {
        outcome!(
            warn,
            verified,
            id,
            "dropped",
            status,
            "the handler was dropped before it responded, because its connection ended"
        );
    }
}

/// A delivery was rejected: at level `info` for what senders do, `error` for what fails here.
pub(crate) fn rejected(rejection: &Rejection, account: Option<AccountId>, id: Option<DeliveryId>) {
    let kind = rejection.kind();
    let is_failure = rejection.status() == 503 && kind != RejectionKind::InFlight;
    macro_rules! rejected {
        ($level:ident) => {
            event!(
                $level,
                kind = kind.as_str(),
                delivery_id = id.map(tracing::field::display),
                account = account.map(tracing::field::display),
                age_secs = rejection
                    .age_secs()
                    .map(|age| age.clamp(-MAX_AGE_SECS, MAX_AGE_SECS)),
                "{rejection}"
            )
        };
    }
    if is_failure {
        rejected!(error);
    } else {
        rejected!(info);
    }
}

/// A verified delivery is not an event.
#[cfg(feature = "events")]
pub(crate) fn not_an_event(error: &dyn Display, id: Option<DeliveryId>) {
    event!(
        error,
        delivery_id = id.map(tracing::field::display),
        error = format_args!("{error:#}"),
        "a verified delivery is not an event"
    );
}

/// An operation of the store failed or took too long.
#[cfg(feature = "dedup")]
pub(crate) fn store_failed(operation: &str, error: &str) {
    event!(error, operation, error, "the delivery store failed");
}

/// Something failed that requests depend on.
pub(crate) fn failed(what: &str, error: &dyn Display) {
    event!(error, error = format_args!("{error:#}"), "{what}");
}

/// An error without a cause to add.
pub(crate) fn error(what: &str) {
    event!(error, "{what}");
}

/// A mistake in the setup that costs no delivery.
#[cfg(feature = "dedup")]
pub(crate) fn warn(what: &str) {
    event!(warn, "{what}");
}

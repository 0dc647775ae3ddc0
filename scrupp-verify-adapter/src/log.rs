//! The log events of the adapters: kinds, ages, indices and ids, never a byte of a header or a body.
//!
//! Fields are expressions in the macros of `tracing`, which evaluate them only if the event is enabled.
//! Do not call `tracing::enabled!` first: with per-layer filters, it suppresses a later event of the
//! application.
#![cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "without the feature, no event is logged")
)]

use core::fmt::Display;

use bytes::Bytes;
use scrupp_verify_core::{AccountId, Rejection, RejectionKind, VerifiedDelivery};

use crate::claims::{ClaimGuard, DeliveryId};
#[cfg(feature = "dedup")]
use crate::observer::StoreOperation;
#[cfg(feature = "tracing")]
use crate::{claims, handler::is_success};

/// The largest age in the log, a day. An attacker can send any timestamp.
#[cfg(feature = "tracing")]
const MAX_AGE_SECS: i64 = 86_400;

macro_rules! event {
    ($level:ident, $($fields:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::$level!(target: "scrupp_verify", $($fields)*)
    };
}

/// Logs the outcome of a verified delivery.
macro_rules! outcome {
    ($level:ident, $delivery:ident, $id:expr, $outcome:expr, $status:expr, $text:literal) => {
        event!(
            $level,
            outcome = $outcome,
            status = $status,
            delivery_id = $id
                .or_else(|| claims::id_of(None, $delivery))
                .map(tracing::field::display),
            account = $delivery.verified().account().map(tracing::field::display),
            age_secs = $delivery.verified().age_secs(),
            secret_index = $delivery.verified().secret_index(),
            $text
        )
    };
}

type Delivery = VerifiedDelivery<Bytes>;

/// Logs that a handler responded or failed.
pub(crate) fn responded(delivery: &Delivery, claim: Option<&ClaimGuard>, status: Option<u16>) {
    #[cfg(feature = "tracing")]
    if is_success(status) {
        outcome!(
            info,
            delivery,
            claim.and_then(ClaimGuard::id),
            "handled",
            status,
            "delivery handled"
        );
    } else {
        outcome!(
            info,
            delivery,
            claim.and_then(ClaimGuard::id),
            "failed",
            status,
            "delivery not handled"
        );
    }
}

/// Logs a duplicate.
pub(crate) fn duplicate(delivery: &Delivery, id: DeliveryId) {
    outcome!(
        info,
        delivery,
        Some(id),
        "duplicate",
        200,
        "delivery already handled"
    );
}

/// Logs that a handler was dropped or panicked.
pub(crate) fn dropped(delivery: &Delivery, claim: Option<&ClaimGuard>, is_panicking: bool) {
    #[cfg(feature = "tracing")]
    let outcome = if is_panicking { "panicked" } else { "dropped" };
    outcome!(
        warn,
        delivery,
        claim.and_then(ClaimGuard::id),
        outcome,
        None::<u16>,
        "the handler was dropped before it responded"
    );
}

/// Logs a rejection: at level `info` if the sender is the cause, at `error` if the receiver is.
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

/// Logs that a verified delivery is not an event.
#[cfg(feature = "events")]
pub(crate) fn not_an_event(error: &dyn Display, delivery: &Delivery, id: Option<DeliveryId>) {
    event!(
        error,
        delivery_id = id
            .or_else(|| claims::id_of(None, delivery))
            .map(tracing::field::display),
        error = format_args!("{error:#}"),
        "a verified delivery is not an event"
    );
}

/// Logs that an operation of the store failed or took too long.
#[cfg(feature = "dedup")]
pub(crate) fn store_failed(operation: StoreOperation, id: DeliveryId, error: &str) {
    event!(error, operation = operation.as_str(), delivery_id = %id, error, "the delivery store failed");
}

/// Logs that a delivery was claimed again while its handler ran.
#[cfg(feature = "dedup")]
pub(crate) fn lease_lost(id: DeliveryId) {
    event!(
        error,
        delivery_id = %id,
        "the handler took longer than its lease, and the delivery was claimed again"
    );
}

/// Logs that an inner adapter does not claim a delivery.
#[cfg(feature = "dedup")]
pub(crate) fn claimed_outside(id: DeliveryId) {
    event!(
        warn,
        delivery_id = %id,
        "an outer ScruppVerify has already claimed this delivery: the inner one does not use its store"
    );
}

/// Logs an error with its cause.
pub(crate) fn failed(what: &str, error: &dyn Display) {
    event!(error, error = format_args!("{error:#}"), "{what}");
}

/// Logs an error without a cause.
pub(crate) fn error(what: &str) {
    event!(error, "{what}");
}

use core::fmt;

use super::log;
use crate::{Verified, events::Event};

/// Why a handler cannot have what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtractError {
    /// The request has not been verified: the adapter is not around this handler.
    NotVerified,
    /// The delivery is verified, but no event.
    NotAnEvent,
}

impl ExtractError {
    /// The proof that the adapter left with a request, if it did.
    ///
    /// # Errors
    ///
    /// [`ExtractError::NotVerified`] for `None`.
    pub fn verified(proof: Option<&Verified>) -> Result<Verified, Self> {
        proof.copied().ok_or_else(|| {
            log::not_verified();
            Self::NotVerified
        })
    }

    /// The event of a verified delivery.
    ///
    /// # Errors
    ///
    /// [`ExtractError::NotAnEvent`] for what [`Event::parse`] refuses; the reason goes to the log.
    pub fn event(body: &[u8]) -> Result<Event, Self> {
        Event::parse(body).map_err(|error| {
            log::not_an_event(&error);
            Self::NotAnEvent
        })
    }

    /// The HTTP status to answer with: 500 or 422.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotVerified => 500,
            Self::NotAnEvent => 422,
        }
    }

    /// The body to answer with: `application/problem+json` (RFC 9457), constant per status.
    #[must_use]
    pub const fn problem(&self) -> &'static str {
        match self {
            Self::NotVerified => r#"{"title":"Internal Server Error","status":500}"#,
            Self::NotAnEvent => r#"{"title":"Unprocessable Content","status":422}"#,
        }
    }
}

impl fmt::Display for ExtractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotVerified => "the request has not been verified",
            Self::NotAnEvent => "the delivery is no event",
        })
    }
}

impl core::error::Error for ExtractError {}

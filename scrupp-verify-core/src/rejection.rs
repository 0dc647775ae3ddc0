use core::fmt;

/// An error that is returned when a delivery is rejected.
///
/// # Security
///
/// Respond with [`status`](Self::status), and with [`headers`](Self::headers) and
/// [`problem`](Self::problem), which depend only on the status. Write [`kind`](Self::kind) only to
/// logs and metrics, because the reason would help an attacker.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{RejectionKind, Secret, UnixTime, Verifier};
///
/// # fn main() -> Result<(), scrupp_verify_core::ConfigError> {
/// let verifier = Verifier::new(Secret::new("topsecret")?);
/// let headers = [("content-type", "application/json")];
/// let now = UnixTime::from_secs(1_735_471_800);
/// let rejection = verifier.verify(&headers, b"{}", now).unwrap_err();
///
/// // For the log.
/// assert_eq!(rejection.kind(), RejectionKind::MissingSignature);
/// assert_eq!(rejection.to_string(), "the signature header is missing");
///
/// // For the client.
/// assert_eq!(rejection.status(), 401);
/// assert_eq!(rejection.problem(), r#"{"title":"Unauthorized","status":401}"#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rejection {
    kind: RejectionKind,
    age_secs: Option<i64>,
}

/// Defines the kinds with their names, their responses to the client, and their messages.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal, $response:ident: $text:literal;)*) => {
        /// The reason for a [`Rejection`].
        ///
        /// This crate returns the kinds from `MissingSignature` to `BodyTooLarge`. The adapters and
        /// their extractors return the others. The command `scrupp-verify explain` of
        /// [`scrupp-verify-cli`](https://crates.io/crates/scrupp-verify-cli) prints remedies.
        ///
        /// # Examples
        ///
        /// ```
        /// use scrupp_verify_core::{RejectionKind, Secret, Signer, UnixTime, Verifier};
        ///
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let secret = Secret::new("topsecret")?;
        /// let sent = UnixTime::from_secs(1_735_471_800);
        /// let headers = Signer::new(&secret).sign(sent, b"{}");
        /// let verifier = Verifier::new(secret);
        /// assert!(verifier.verify(&headers, b"{}", sent).is_ok());
        ///
        /// let later = UnixTime::from_secs(1_735_475_400);
        /// let rejection = verifier.verify(&headers, b"{}", later).unwrap_err();
        /// match rejection.kind() {
        ///     RejectionKind::TooOld => assert_eq!(rejection.age_secs(), Some(3600)),
        ///     other => panic!("unexpected: {other}"),
        /// }
        /// # Ok(())
        /// # }
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RejectionKind {
            $($(#[$doc])* $kind,)*
        }

        impl RejectionKind {
            /// All kinds, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Returns the name in snake case, such as `too_old`. The name does not change between
            /// versions.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            const fn text(self) -> &'static str {
                match self { $(Self::$kind => $text),* }
            }

            const fn response(self) -> &'static Response {
                match self { $(Self::$kind => &$response),* }
            }
        }
    };
}

kinds! {
    /// `X-Scrupp-Signature` is missing.
    MissingSignature "missing_signature", UNAUTHORIZED: "the signature header is missing";
    /// `X-Scrupp-Signature` occurs more than once, with equal or different values.
    RepeatedSignature "repeated_signature", UNAUTHORIZED:
        "the signature header occurs more than once";
    /// The signature is not `sha256=` followed by 64 hex digits.
    MalformedSignature "malformed_signature", UNAUTHORIZED:
        "the signature is not sha256= followed by 64 hex digits";
    /// `X-Scrupp-Timestamp` is missing.
    MissingTimestamp "missing_timestamp", UNAUTHORIZED: "the timestamp header is missing";
    /// `X-Scrupp-Timestamp` occurs more than once, with equal or different values.
    RepeatedTimestamp "repeated_timestamp", UNAUTHORIZED:
        "the timestamp header occurs more than once";
    /// The timestamp is not a decimal number of seconds, starts with a zero, or does not fit in 64
    /// bits.
    MalformedTimestamp "malformed_timestamp", UNAUTHORIZED:
        "the timestamp is not a decimal number of seconds";
    /// The timestamp is in the future and has 13 digits, so the sender probably uses
    /// milliseconds.
    TimestampInMilliseconds "timestamp_in_milliseconds", UNAUTHORIZED:
        "the timestamp appears to be in milliseconds instead of seconds";
    /// The timestamp is older than the tolerance. Causes are a replay, a late retry, or a receiver
    /// whose clock is fast.
    TooOld "too_old", UNAUTHORIZED: "the timestamp is too old";
    /// The timestamp is further in the future than the tolerance. The clock of the receiver is
    /// slow, or that of the sender is fast.
    InFuture "in_future", UNAUTHORIZED: "the timestamp is in the future";
    /// No secret matches. The delivery was signed with another secret, or was modified.
    SignatureMismatch "signature_mismatch", UNAUTHORIZED:
        "the signature matches none of the secrets";
    /// The account lookup found no account.
    UnknownAccount "unknown_account", UNAUTHORIZED: "the account is unknown";
    /// The declared length or the received body exceeds the limit.
    BodyTooLarge "body_too_large", CONTENT_TOO_LARGE: "the body exceeds the limit";
    /// The body was not complete before the deadline.
    BodyTimeout "body_timeout", REQUEST_TIMEOUT: "the body was not complete in time";
    /// The client closed the connection before the body was complete, or the body is malformed.
    BodyBroken "body_broken", BAD_REQUEST: "the body could not be read";
    /// The budget for unverified bodies was not available before the deadline.
    OverBudget "over_budget", SERVICE_UNAVAILABLE: "the budget for unverified bodies is exhausted";
    /// An adapter runs without a Tokio runtime, or the runtime has no timer.
    RuntimeUnavailable "runtime_unavailable", SERVICE_UNAVAILABLE:
        "there is no Tokio runtime with a timer";
    /// The clock returned `None`.
    ClockUnavailable "clock_unavailable", SERVICE_UNAVAILABLE: "the clock returned no time";
    /// The account lookup failed or timed out.
    SecretsUnavailable "secrets_unavailable", SERVICE_UNAVAILABLE: "the account lookup failed";
    /// The delivery store failed, timed out, or is full.
    StoreUnavailable "store_unavailable", SERVICE_UNAVAILABLE: "the delivery store failed";
    /// Another attempt at the same delivery is being handled.
    InFlight "in_flight", SERVICE_UNAVAILABLE: "another attempt is being handled";
    /// A handler extracts a verified delivery, but no adapter wraps the handler.
    NotVerified "not_verified", INTERNAL_SERVER_ERROR: "the request has not been verified";
    /// A handler extracts a claim, but no adapter with a store wraps the handler.
    NotClaimed "not_claimed", INTERNAL_SERVER_ERROR: "the delivery has not been claimed";
    /// A handler extracts an event, but the verified body is not an event.
    NotAnEvent "not_an_event", UNPROCESSABLE_CONTENT: "the delivery is not an event";
}

impl Rejection {
    /// Creates a rejection for a reason outside this crate, such as a body that could not be read.
    #[must_use]
    pub const fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            age_secs: None,
        }
    }

    pub(crate) const fn aged(kind: RejectionKind, age_secs: i64) -> Self {
        Self {
            kind,
            age_secs: Some(age_secs),
        }
    }

    /// Returns the reason, for logs and metrics.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Returns the age of the timestamp in seconds if the timestamp is outside the tolerance. The
    /// age is negative if the timestamp is in the future.
    #[must_use]
    pub const fn age_secs(&self) -> Option<i64> {
        self.age_secs
    }

    /// Returns the HTTP status to respond with.
    ///
    /// The status is 400, 401, 408, 413 or 503. Rejections by an extractor have 422 or 500.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.kind.response().status
    }

    /// Returns the headers to respond with, with names in lower case.
    ///
    /// - `content-type`: the type of [`problem`](Self::problem).
    /// - `www-authenticate`: with a 401 (RFC 9110, section 15.5.2).
    /// - `retry-after`: with a 503.
    ///
    /// Add `content-length` if the server does not.
    #[must_use]
    pub const fn headers(&self) -> &'static [(&'static str, &'static str)] {
        self.kind.response().headers
    }

    /// Returns the body to respond with, as `application/problem+json` (RFC 9457).
    ///
    /// The body contains only the status and its title.
    #[must_use]
    pub const fn problem(&self) -> &'static str {
        self.kind.response().problem
    }
}

impl From<RejectionKind> for Rejection {
    fn from(kind: RejectionKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for Rejection {}

/// The response to the client, which is the same for all kinds with one status.
struct Response {
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    problem: &'static str,
}

const PROBLEM_JSON: (&str, &str) = ("content-type", "application/problem+json");

static UNAUTHORIZED: Response = Response {
    status: 401,
    headers: &[
        PROBLEM_JSON,
        ("www-authenticate", "ScruppSignature realm=\"webhook\""),
    ],
    problem: r#"{"title":"Unauthorized","status":401}"#,
};

static CONTENT_TOO_LARGE: Response = Response {
    status: 413,
    headers: &[PROBLEM_JSON],
    problem: r#"{"title":"Content Too Large","status":413}"#,
};

static REQUEST_TIMEOUT: Response = Response {
    status: 408,
    headers: &[PROBLEM_JSON],
    problem: r#"{"title":"Request Timeout","status":408}"#,
};

static BAD_REQUEST: Response = Response {
    status: 400,
    headers: &[PROBLEM_JSON],
    problem: r#"{"title":"Bad Request","status":400}"#,
};

static UNPROCESSABLE_CONTENT: Response = Response {
    status: 422,
    headers: &[PROBLEM_JSON],
    problem: r#"{"title":"Unprocessable Content","status":422}"#,
};

static INTERNAL_SERVER_ERROR: Response = Response {
    status: 500,
    headers: &[PROBLEM_JSON],
    problem: r#"{"title":"Internal Server Error","status":500}"#,
};

static SERVICE_UNAVAILABLE: Response = Response {
    status: 503,
    headers: &[PROBLEM_JSON, ("retry-after", "5")],
    problem: r#"{"title":"Service Unavailable","status":503}"#,
};

#[cfg(test)]
mod tests {
    use super::RejectionKind;

    #[test]
    fn each_kind_has_a_unique_name() {
        for kind in RejectionKind::ALL {
            let same = |other: &&RejectionKind| other.as_str() == kind.as_str();
            assert_eq!(
                RejectionKind::ALL.iter().filter(same).count(),
                1,
                "{kind:?}"
            );
        }
    }
}

use core::fmt;

/// The reason for rejecting a delivery: for the operator, never for the client.
///
/// The client gets [`status`](Self::status), [`headers`](Self::headers) and
/// [`problem`](Self::problem), which are the same for every rejection with one status.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{RejectionKind, Secret, UnixTime, Verifier};
///
/// let verifier = Verifier::new(Secret::new("topsecret").unwrap());
/// let unsigned: [(&str, &str); 0] = [];
/// let rejection = verifier.verify(&unsigned, b"{}", UnixTime::from_secs(0)).unwrap_err();
///
/// assert_eq!(rejection.kind(), RejectionKind::MissingSignature);
/// assert_eq!(rejection.status(), 401);
/// assert_eq!(rejection.to_string(), "the signature header is missing");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    kind: RejectionKind,
    age_secs: Option<i64>,
}

/// Defines the kinds, each with its name, the response to the client, and the text for the operator.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal, $response:ident: $text:literal;)*) => {
        /// The kind of a [`Rejection`], for logs and metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RejectionKind {
            $($(#[$doc])* $kind,)*
        }

        impl RejectionKind {
            /// All kinds of this version, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Returns a short name in snake case, which stays the same across versions.
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
    /// No `X-Scrupp-Signature`.
    MissingSignature "missing_signature", UNAUTHORIZED: "the signature header is missing";
    /// More than one `X-Scrupp-Signature`, even if they are the same.
    RepeatedSignature "repeated_signature", UNAUTHORIZED:
        "the signature header occurs more than once";
    /// Not `sha256=` and 64 hex digits.
    MalformedSignature "malformed_signature", UNAUTHORIZED:
        "the signature is not sha256= and 64 hex digits";
    /// No `X-Scrupp-Timestamp`.
    MissingTimestamp "missing_timestamp", UNAUTHORIZED: "the timestamp header is missing";
    /// More than one `X-Scrupp-Timestamp`, even if they are the same.
    RepeatedTimestamp "repeated_timestamp", UNAUTHORIZED:
        "the timestamp header occurs more than once";
    /// Not a decimal number of seconds that starts with 1 to 9 and fits in 64 bits.
    MalformedTimestamp "malformed_timestamp", UNAUTHORIZED:
        "the timestamp is not a decimal number of seconds";
    /// In the future, and 13 digits long: milliseconds instead of seconds.
    TimestampInMilliseconds "timestamp_in_milliseconds", UNAUTHORIZED:
        "the timestamp seems to count milliseconds instead of seconds";
    /// Older than the tolerance: a replay, a late retry, or a clock that is ahead.
    TooOld "too_old", UNAUTHORIZED: "the timestamp is too old";
    /// Further in the future than the tolerance: a clock that is behind, here or there.
    InFuture "in_future", UNAUTHORIZED: "the timestamp is in the future";
    /// Signed with none of the secrets, or modified in transit.
    SignatureMismatch "signature_mismatch", UNAUTHORIZED:
        "the signature matches none of the secrets";
    /// The account lookup found no such account.
    UnknownAccount "unknown_account", UNAUTHORIZED: "there is no such account";
    /// The body exceeds the limit, by its declared length or by the bytes received.
    BodyTooLarge "body_too_large", CONTENT_TOO_LARGE: "the body exceeds the limit";
    /// The body was not complete in time.
    BodyTimeout "body_timeout", REQUEST_TIMEOUT: "the body was not complete in time";
    /// The body broke off, or its framing is not valid.
    BodyBroken "body_broken", BAD_REQUEST: "the body broke off";
    /// The budget for unverified bodies was not available in time.
    OverBudget "over_budget", SERVICE_UNAVAILABLE: "too many bytes of unverified bodies are held";
    /// There is no Tokio runtime with a timer, which an adapter needs.
    RuntimeUnavailable "runtime_unavailable", SERVICE_UNAVAILABLE:
        "there is no Tokio runtime with a timer";
    /// The clock returned no time.
    ClockUnavailable "clock_unavailable", SERVICE_UNAVAILABLE: "the clock gives no time";
    /// The account lookup failed.
    SecretsUnavailable "secrets_unavailable", SERVICE_UNAVAILABLE: "the account lookup failed";
    /// The delivery store failed, was too slow, or is full.
    StoreUnavailable "store_unavailable", SERVICE_UNAVAILABLE: "the delivery store failed";
    /// Another attempt at the same delivery is being handled.
    InFlight "in_flight", SERVICE_UNAVAILABLE: "another attempt is being handled";
    /// A handler asks for a verified delivery, but no adapter verified the request.
    NotVerified "not_verified", INTERNAL_SERVER_ERROR: "the request has not been verified";
    /// A handler asks for the claim of a delivery, but no adapter claimed the delivery.
    NotClaimed "not_claimed", INTERNAL_SERVER_ERROR: "the delivery has not been claimed";
    /// The delivery is verified, but it is not an event.
    NotAnEvent "not_an_event", UNPROCESSABLE_CONTENT: "the delivery is not an event";
}

impl Rejection {
    /// Creates a rejection for a reason that only an adapter can know, such as a body that broke off.
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

    /// Returns the reason, for logs and metrics. To tell it to the client helps an attacker.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Returns the age of the timestamp in seconds, if that was the reason. Negative in the future.
    #[must_use]
    pub const fn age_secs(&self) -> Option<i64> {
        self.age_secs
    }

    /// Returns the HTTP status to respond with: 400, 401, 408, 413 or 503; 422 or 500 from an
    /// extractor.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.kind.response().status
    }

    /// Returns the headers to respond with, besides `Content-Length`; names in lower case.
    ///
    /// `WWW-Authenticate` with a 401 (RFC 9110, section 15.5.2), `Retry-After` with a 503, and
    /// the content type of [`problem`](Self::problem).
    #[must_use]
    pub const fn headers(&self) -> &'static [(&'static str, &'static str)] {
        self.kind.response().headers
    }

    /// Returns the body to respond with: `application/problem+json` (RFC 9457), constant per status.
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

/// The response to a client: one constant for each status, so it reveals no more than that.
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
    fn kinds_have_names_of_their_own() {
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

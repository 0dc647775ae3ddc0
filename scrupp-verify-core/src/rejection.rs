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

/// The kind of a [`Rejection`], for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// No `X-Scrupp-Signature`.
    MissingSignature,
    /// More than one `X-Scrupp-Signature`, even if they are the same.
    RepeatedSignature,
    /// Not `sha256=` and 64 hex digits.
    MalformedSignature,
    /// No `X-Scrupp-Timestamp`.
    MissingTimestamp,
    /// More than one `X-Scrupp-Timestamp`, even if they are the same.
    RepeatedTimestamp,
    /// Not a decimal number of seconds that starts with 1 to 9 and fits in 64 bits.
    MalformedTimestamp,
    /// In the future, and 13 digits long: milliseconds instead of seconds.
    TimestampInMilliseconds,
    /// Older than the tolerance: a replay, a late retry, or a clock that is ahead.
    TooOld,
    /// Further in the future than the tolerance: a clock that is behind, here or there.
    InFuture,
    /// Signed with none of the secrets, or modified in transit.
    SignatureMismatch,
    /// The account lookup found no such account.
    UnknownAccount,
    /// The body exceeds the limit, by its declared length or by the bytes received.
    BodyTooLarge,
    /// The body was not complete in time.
    BodyTimeout,
    /// The body broke off, or its framing is not valid.
    BodyBroken,
    /// The budget for unverified bodies was not available in time.
    OverBudget,
    /// There is no Tokio runtime with a timer, which an adapter needs.
    RuntimeUnavailable,
    /// The clock returned no time.
    ClockUnavailable,
    /// The account lookup failed.
    SecretsUnavailable,
    /// The delivery store failed, was too slow, or is full.
    StoreUnavailable,
    /// Another attempt at the same delivery is being handled.
    InFlight,
    /// A handler asks for a verified delivery, but no adapter verified the request.
    NotVerified,
    /// A handler asks for the claim of a delivery, but no adapter claimed the delivery.
    NotClaimed,
    /// The delivery is verified, but it is not an event.
    NotAnEvent,
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
        self.response().status
    }

    /// Returns the headers to respond with, besides `Content-Length`; names in lower case.
    ///
    /// `WWW-Authenticate` with a 401 (RFC 9110, section 15.5.2), `Retry-After` with a 503, and
    /// the content type of [`problem`](Self::problem).
    #[must_use]
    pub const fn headers(&self) -> &'static [(&'static str, &'static str)] {
        self.response().headers
    }

    /// Returns the body to respond with: `application/problem+json` (RFC 9457), constant per status.
    #[must_use]
    pub const fn problem(&self) -> &'static str {
        self.response().problem
    }

    const fn response(&self) -> &'static Response {
        use RejectionKind as Kind;
        match self.kind {
            Kind::MissingSignature
            | Kind::RepeatedSignature
            | Kind::MalformedSignature
            | Kind::MissingTimestamp
            | Kind::RepeatedTimestamp
            | Kind::MalformedTimestamp
            | Kind::TimestampInMilliseconds
            | Kind::TooOld
            | Kind::InFuture
            | Kind::SignatureMismatch
            | Kind::UnknownAccount => &UNAUTHORIZED,
            Kind::BodyTooLarge => &CONTENT_TOO_LARGE,
            Kind::BodyTimeout => &REQUEST_TIMEOUT,
            Kind::BodyBroken => &BAD_REQUEST,
            Kind::OverBudget
            | Kind::RuntimeUnavailable
            | Kind::ClockUnavailable
            | Kind::SecretsUnavailable
            | Kind::StoreUnavailable
            | Kind::InFlight => &SERVICE_UNAVAILABLE,
            Kind::NotVerified | Kind::NotClaimed => &INTERNAL_SERVER_ERROR,
            Kind::NotAnEvent => &UNPROCESSABLE_CONTENT,
        }
    }
}

impl RejectionKind {
    /// All kinds of this version, in the order of their declaration.
    pub const ALL: &'static [Self] = &[
        Self::MissingSignature,
        Self::RepeatedSignature,
        Self::MalformedSignature,
        Self::MissingTimestamp,
        Self::RepeatedTimestamp,
        Self::MalformedTimestamp,
        Self::TimestampInMilliseconds,
        Self::TooOld,
        Self::InFuture,
        Self::SignatureMismatch,
        Self::UnknownAccount,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::BodyBroken,
        Self::OverBudget,
        Self::RuntimeUnavailable,
        Self::ClockUnavailable,
        Self::SecretsUnavailable,
        Self::StoreUnavailable,
        Self::InFlight,
        Self::NotVerified,
        Self::NotClaimed,
        Self::NotAnEvent,
    ];

    /// Returns a short name in snake case, which stays the same across versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.texts().0
    }

    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::MissingSignature => ("missing_signature", "the signature header is missing"),
            Self::RepeatedSignature => (
                "repeated_signature",
                "the signature header occurs more than once",
            ),
            Self::MalformedSignature => (
                "malformed_signature",
                "the signature is not sha256= and 64 hex digits",
            ),
            Self::MissingTimestamp => ("missing_timestamp", "the timestamp header is missing"),
            Self::RepeatedTimestamp => (
                "repeated_timestamp",
                "the timestamp header occurs more than once",
            ),
            Self::MalformedTimestamp => (
                "malformed_timestamp",
                "the timestamp is not a decimal number of seconds",
            ),
            Self::TimestampInMilliseconds => (
                "timestamp_in_milliseconds",
                "the timestamp seems to count milliseconds instead of seconds",
            ),
            Self::TooOld => ("too_old", "the timestamp is too old"),
            Self::InFuture => ("in_future", "the timestamp is in the future"),
            Self::SignatureMismatch => (
                "signature_mismatch",
                "the signature matches none of the secrets",
            ),
            Self::UnknownAccount => ("unknown_account", "there is no such account"),
            Self::BodyTooLarge => ("body_too_large", "the body exceeds the limit"),
            Self::BodyTimeout => ("body_timeout", "the body was not complete in time"),
            Self::BodyBroken => ("body_broken", "the body broke off"),
            Self::OverBudget => (
                "over_budget",
                "too many bytes of unverified bodies are held",
            ),
            Self::RuntimeUnavailable => (
                "runtime_unavailable",
                "there is no Tokio runtime with a timer",
            ),
            Self::ClockUnavailable => ("clock_unavailable", "the clock gives no time"),
            Self::SecretsUnavailable => ("secrets_unavailable", "the account lookup failed"),
            Self::StoreUnavailable => ("store_unavailable", "the delivery store failed"),
            Self::InFlight => ("in_flight", "another attempt is being handled"),
            Self::NotVerified => ("not_verified", "the request has not been verified"),
            Self::NotClaimed => ("not_claimed", "the delivery has not been claimed"),
            Self::NotAnEvent => ("not_an_event", "the delivery is not an event"),
        }
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
        f.write_str(self.texts().1)
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
    fn all_kinds_are_there_once_and_have_names_of_their_own() {
        let all = RejectionKind::ALL;
        // The last one.
        assert_eq!(all.len(), RejectionKind::NotAnEvent as usize + 1);
        for (index, kind) in all.iter().enumerate() {
            assert_eq!(*kind as usize, index);
            let same = |other: &&RejectionKind| other.as_str() == kind.as_str();
            assert_eq!(all.iter().filter(same).count(), 1, "{kind:?}");
        }
    }
}

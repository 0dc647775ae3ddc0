use core::fmt;

/// Why a body is no event: which field is wrong, and how, but nothing of what is in it.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::events::{Event, EventErrorKind};
///
/// let body = br#"{"event":"task.completed","process_id":1,"status":"completed",
///     "meta":{"source":["zapier"]}}"#;
/// let error = Event::parse(body).unwrap_err();
/// assert_eq!(error.path(), Some("meta.source"));
/// assert_eq!(error.kind(), EventErrorKind::NotAString);
/// assert_eq!(error.to_string(), "meta.source: expected a string");
///
/// let error = Event::parse(b"hello world").unwrap_err();
/// assert_eq!(error.path(), None);
/// assert_eq!(error.to_string(), "not JSON");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventError {
    path: Option<&'static str>,
    kind: EventErrorKind,
}

/// What is wrong with a field, or with the body as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventErrorKind {
    /// The body is not one JSON text in UTF-8 (RFC 8259).
    NotJson,
    /// Half of a surrogate pair is escaped, as in `"\ud800"`, in a text or in the name of a field.
    /// JSON has room for that, Unicode has not.
    NotUnicode,
    /// Something else where there must be an object.
    NotAnObject,
    /// Something else where there must be a string.
    NotAString,
    /// Something else where there must be an integer from 0 to 2^64 - 1, written as such.
    NotAnUnsignedInteger,
    /// There is no such field, and there must be.
    Missing,
    /// The field is in there more than once.
    Repeated,
}

impl EventError {
    pub(super) fn at(path: &'static str, kind: EventErrorKind) -> Self {
        Self {
            path: Some(path),
            kind,
        }
    }

    pub(super) fn of_body(kind: EventErrorKind) -> Self {
        Self { path: None, kind }
    }

    /// The field, from the outside in, as in `meta.source`; `None` for the body as a whole.
    ///
    /// Always one of the names that Scrupp documents.
    #[must_use]
    pub const fn path(&self) -> Option<&'static str> {
        self.path
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn kind(&self) -> EventErrorKind {
        self.kind
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use EventErrorKind as Kind;
        if let Some(path) = self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(match self.kind {
            Kind::NotJson => "not JSON",
            Kind::NotUnicode => "not Unicode",
            Kind::NotAnObject => "expected an object",
            Kind::NotAString => "expected a string",
            Kind::NotAnUnsignedInteger => "expected an unsigned 64-bit integer",
            Kind::Missing => "missing",
            Kind::Repeated => "given more than once",
        })
    }
}

impl core::error::Error for EventError {}

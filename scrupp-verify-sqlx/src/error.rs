use core::{error::Error, fmt};

use sqlx::Error as SqlxError;

/// The error of a [`SqlxStore`](crate::SqlxStore).
///
/// The message includes all causes, for the operator's log. The message contains no data of a delivery
/// and no password.
#[derive(Debug)]
pub struct SqlxStoreError {
    kind: SqlxStoreErrorKind,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// The kind of a [`SqlxStoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlxStoreErrorKind {
    /// The name of the table is not valid. See [`SqlxStore::table`](crate::SqlxStore::table).
    InvalidTable,
    /// The table is missing. [`migrate`](crate::SqlxStore::migrate) creates it.
    TableMissing,
    /// A newer release has changed the table so that this release cannot use it.
    FormatTooNew,
    /// SQLite would lose acknowledgements in a power failure. Set `journal_mode = WAL` and
    /// `synchronous = FULL`.
    UnsafeSettings,
    /// The role has no permission to use or create the table.
    PermissionDenied,
    /// The database is read-only, for example a standby server.
    ReadOnly,
    /// The database has no disk space or no memory left.
    Full,
    /// The database cannot read or write its files. A full disk can be the cause, or a SQLite file that was
    /// removed or replaced while the store used it.
    Io,
    /// Every connection of the pool is in use, the pool is closed, or the server accepts no more connections.
    PoolExhausted,
    /// Another transaction has locked the database, or has changed the same row.
    Busy,
    /// The database cannot be reached, or the connection was lost.
    Unreachable,
    /// Another error of the database.
    Other,
}

impl SqlxStoreError {
    pub(crate) const fn new(kind: SqlxStoreErrorKind) -> Self {
        Self { kind, cause: None }
    }

    pub(crate) fn with_cause(
        kind: SqlxStoreErrorKind,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        let cause = Some(cause.into());
        Self { kind, cause }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(&self) -> SqlxStoreErrorKind {
        self.kind
    }
}

impl From<SqlxError> for SqlxStoreError {
    fn from(error: SqlxError) -> Self {
        use SqlxStoreErrorKind as Kind;
        let kind = match &error {
            SqlxError::PoolTimedOut | SqlxError::PoolClosed => Kind::PoolExhausted,
            SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::WorkerCrashed => Kind::Unreachable,
            SqlxError::Database(database) => {
                let code = database.code().unwrap_or_default();
                of_code(&code, database.message())
            }
            _ => Kind::Other,
        };
        Self::with_cause(kind, error)
    }
}

/// Returns the kind for a SQLSTATE of PostgreSQL (appendix A of its manual) or for an extended result code
/// of SQLite, which is a number.
fn of_code(code: &str, message: &str) -> SqlxStoreErrorKind {
    use SqlxStoreErrorKind as Kind;
    // A SQLSTATE has five characters. A result code has fewer digits.
    if code.len() < 5
        && let Ok(code) = code.parse::<u32>()
    {
        // The lowest byte is the primary code.
        return match code & 0xff {
            1 if message.contains("no such table") => Kind::TableMissing,
            3 => Kind::PermissionDenied,
            5 | 6 => Kind::Busy,
            8 => Kind::ReadOnly,
            10 => Kind::Io,
            13 => Kind::Full,
            14 => Kind::Unreachable,
            _ => Kind::Other,
        };
    }
    match code {
        "42P01" | "3F000" => Kind::TableMissing,
        "42501" => Kind::PermissionDenied,
        "25006" => Kind::ReadOnly,
        "53100" | "53200" => Kind::Full,
        "58030" => Kind::Io,
        "53300" => Kind::PoolExhausted,
        "40001" | "40P01" | "55P03" => Kind::Busy,
        "57P01" | "57P02" | "57P03" => Kind::Unreachable,
        code if code.starts_with("08") => Kind::Unreachable,
        _ => Kind::Other,
    }
}

impl fmt::Display for SqlxStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use SqlxStoreErrorKind as Kind;
        f.write_str(match self.kind {
            Kind::InvalidTable => {
                "invalid table name: each part must consist of 1 to 50 lowercase letters, digits and \
                 underscores, without a leading digit"
            }
            Kind::TableMissing => "the table of deliveries is missing (call migrate)",
            Kind::FormatTooNew => "the table of deliveries belongs to a newer release",
            Kind::UnsafeSettings => {
                "the SQLite connection needs journal_mode = WAL and synchronous = FULL"
            }
            Kind::PermissionDenied => "the role has no permission to use the table of deliveries",
            Kind::ReadOnly => "the database is read-only",
            Kind::Full => "the database has no disk space or no memory left",
            Kind::Io => "the database cannot read or write its files",
            Kind::PoolExhausted => "no database connection is available",
            Kind::Busy => "another transaction has locked the database or changed the same row",
            Kind::Unreachable => "the database cannot be reached",
            Kind::Other => "the database failed",
        })?;
        let mut cause = self.cause.as_ref().map(|cause| &**cause as &dyn Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

// Without a source, so that a report of the chain does not show the causes twice.
impl Error for SqlxStoreError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_result_codes_from_sqlstates() {
        use SqlxStoreErrorKind as Kind;
        for (code, kind) in [
            ("5", Kind::Busy),
            ("517", Kind::Busy),
            ("8", Kind::ReadOnly),
            ("778", Kind::Io),
            ("13", Kind::Full),
            ("14", Kind::Unreachable),
            ("08006", Kind::Unreachable),
            ("08P01", Kind::Unreachable),
            ("25006", Kind::ReadOnly),
            ("40001", Kind::Busy),
            ("55P03", Kind::Busy),
            ("53100", Kind::Full),
            ("58030", Kind::Io),
            ("42601", Kind::Other),
        ] {
            assert_eq!(of_code(code, ""), kind, "{code}");
        }
    }
}

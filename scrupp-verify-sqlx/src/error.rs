use core::{error::Error, fmt};

use sqlx::Error as SqlxError;

/// The failure of a [`SqlxStore`](crate::SqlxStore), with its cause.
///
/// Displayed with all its causes, for the operator's log. Shows nothing of a delivery, and no password.
#[derive(Debug)]
pub struct SqlxStoreError {
    kind: SqlxStoreErrorKind,
    source: Option<SqlxError>,
}

/// The kind of a [`SqlxStoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlxStoreErrorKind {
    /// The name of a table is not `table` or `schema.table` of lower-case letters, digits and
    /// underscores.
    InvalidTable,
    /// The table is missing: [`migrate`](crate::SqlxStore::migrate) creates it.
    TableMissing,
    /// A newer release has changed the table in a way that this one cannot use.
    FormatTooNew,
    /// The database keeps less than what it acknowledges: WAL or `synchronous = FULL` is missing.
    UnsafeSettings,
    /// The role has no right to use the table, or to create it.
    PermissionDenied,
    /// The database is read-only, such as a standby server.
    ReadOnly,
    /// No space is left.
    Full,
    /// The database cannot read or write its files. A full disk can be the reason.
    Io,
    /// Every connection of the pool is in use, or the pool is closed.
    PoolExhausted,
    /// Another transaction holds the database, or changed the same row.
    Busy,
    /// The database cannot be reached, or the connection broke off.
    Unreachable,
    /// Anything else.
    Other,
}

impl SqlxStoreError {
    pub(crate) const fn new(kind: SqlxStoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Returns the kind.
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
        let source = Some(error);
        Self { kind, source }
    }
}

/// The codes are SQLSTATEs of PostgreSQL (appendix A of its manual), or SQLite's extended result
/// codes, which are numbers.
fn of_code(code: &str, message: &str) -> SqlxStoreErrorKind {
    use SqlxStoreErrorKind as Kind;
    // A SQLSTATE has five characters, and a result code fewer digits.
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
                "the table's name is not of lower-case letters, digits and underscores"
            }
            Kind::TableMissing => "the table of deliveries is missing (call migrate)",
            Kind::FormatTooNew => "the table of deliveries is that of a newer release",
            Kind::UnsafeSettings => {
                "the SQLite connection needs journal_mode = WAL and synchronous = FULL"
            }
            Kind::PermissionDenied => "the role has no right to the table of deliveries",
            Kind::ReadOnly => "the database is read-only",
            Kind::Full => "the database has no space left",
            Kind::Io => "the database cannot read or write its files",
            Kind::PoolExhausted => "no connection to the database is free",
            Kind::Busy => "another transaction holds the database",
            Kind::Unreachable => "the database cannot be reached",
            Kind::Other => "the database failed",
        })?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for SqlxStoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_result_codes_from_sqlstates() {
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

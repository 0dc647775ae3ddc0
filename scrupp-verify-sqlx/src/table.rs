use crate::{SqlxStoreError, SqlxStoreErrorKind};

/// The name of the table in the schema files.
const DEFAULT: &str = "scrupp_deliveries";

/// The format of the table that this release creates.
const FORMAT: i64 = 1;

/// Checks that this release can use a table, given the lowest format that a release must support.
pub(crate) fn check_format(oldest: i64) -> Result<(), SqlxStoreError> {
    match oldest > FORMAT {
        true => Err(SqlxStoreError::new(SqlxStoreErrorKind::FormatTooNew)),
        false => Ok(()),
    }
}

/// The name of a table, which needs no quotes in a statement.
#[derive(Clone, Debug)]
pub(crate) struct Table(String);

impl Table {
    /// Checks a name: `table` or `schema.table`, of lowercase letters, digits and underscores.
    pub(crate) fn new(name: &str) -> Result<Self, SqlxStoreError> {
        // PostgreSQL limits a name to 63 bytes. The name of the index is 11 bytes longer.
        let is_name = |part: &str| {
            (1..=50).contains(&part.len())
                && !part.starts_with(|first: char| first.is_ascii_digit())
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        };
        let mut parts = name.split('.');
        let is_valid = parts.clone().count() <= 2 && parts.all(is_name);
        let error = SqlxStoreError::new(SqlxStoreErrorKind::InvalidTable);
        is_valid.then(|| Self(name.to_owned())).ok_or(error)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Replaces the default name in a statement with this one.
    pub(crate) fn statement(&self, statement: &str) -> String {
        let (_, table) = self.0.rsplit_once('.').unwrap_or(("", &self.0));
        // The name of an index has no schema, because an index is in the schema of its table.
        statement
            .replace(
                "INDEX IF NOT EXISTS scrupp_deliveries",
                &format!("INDEX IF NOT EXISTS {table}"),
            )
            .replace(DEFAULT, &self.0)
    }
}

impl Default for Table {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_names_that_need_quotes() {
        for name in ["a", "_a1", "scrupp.deliveries", &"a".repeat(50)] {
            assert!(Table::new(name).is_ok_and(|table| table.name() == name));
        }
        for name in [
            "",
            ".",
            "a.",
            "a.b.c",
            "1a",
            "A",
            "a-b",
            "a b",
            "a;drop table b",
            "\"a\"",
            "ä",
            &"a".repeat(51),
        ] {
            let kind = Table::new(name).err().map(|error| error.kind());
            assert_eq!(kind, Some(SqlxStoreErrorKind::InvalidTable), "{name}");
        }
    }
}

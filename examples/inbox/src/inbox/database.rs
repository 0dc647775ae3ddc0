use core::time::Duration;
use std::{fmt::Write, sync::Arc};

use sqlx::{
    AssertSqlSafe, ConnectOptions, FromRow, PgPool, Row, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
    query, query_scalar, raw_sql,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use tokio::time::timeout;
use tracing::subscriber::{NoSubscriber, with_default};

use super::{
    Error,
    files::Files,
    statements::{Dialect, POSTGRES, SQLITE},
};

/// A SQLite file, or a PostgreSQL database. Each statement runs in its own transaction.
#[derive(Clone, Debug)]
pub(super) enum Database {
    Sqlite(SqlitePool, Arc<Files>),
    Postgres(PgPool),
}

/// The value of a parameter such as `$1` in a statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'v> {
    Number(Option<i64>),
    Text(Option<&'v str>),
    Bytes(&'v [u8]),
}

const IN_MEMORY: &str = "expected a file, not an in-memory database";

/// Time limit for acquiring a connection, and for the lock of a SQLite file. Shorter than the time limit of
/// a response.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// Precedes each message to PostgreSQL. sqlx reads bytes only as hex digits, and the server may be
/// configured to send them as escape sequences.
const BYTES_IN_HEX: &str = "SET LOCAL bytea_output = 'hex';";

/// Time limit of a statement. Shorter than the time limit of a response.
const STATEMENT_TIMEOUT: Duration = Duration::from_millis(3500);

impl Database {
    pub(super) async fn open(url: &str) -> Result<Self, Error> {
        match url.split_once(':') {
            Some(("sqlite", _)) => Self::open_sqlite(url).await,
            Some(("postgres" | "postgresql", _)) => Self::open_postgres(url).await,
            _ => Err("expected a URL that begins with sqlite: or postgres:".into()),
        }
    }

    /// Opens a SQLite file in WAL mode, so readers do not wait, and with `synchronous = FULL`, so each commit
    /// is on disk.
    async fn open_sqlite(url: &str) -> Result<Self, Error> {
        if url.contains(":memory:") {
            return Err(IN_MEMORY.into());
        }
        let parameters = if url.contains('?') { "" } else { "?mode=rwc" };
        let options = format!("{url}{parameters}")
            .parse::<SqliteConnectOptions>()?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(ACQUIRE_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // Keeps a connection open, because SQLite removes the write-ahead log when the last one closes.
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await?;
        // SQLite opens the log when it reads the schema.
        let journal = "SELECT journal_mode, (SELECT count(*) FROM sqlite_schema)
            FROM pragma_journal_mode";
        let journal: String = query_scalar(journal).fetch_one(&pool).await?;
        match journal.as_str() {
            "wal" => {}
            "memory" => return Err(IN_MEMORY.into()),
            _ => return Err(format!("no durable commits: journal_mode = {journal}").into()),
        }
        let files = Files::open(options.get_filename())?;
        Ok(Self::Sqlite(pool, Arc::new(files)))
    }

    async fn open_postgres(url: &str) -> Result<Self, Error> {
        // sqlx logs unknown URL parameters with their values, which may contain secrets.
        let options: PgConnectOptions = with_default(NoSubscriber::new(), || url.parse())?;
        let options = options
            // PgBouncer rejects this startup parameter.
            .extra_float_digits(None)
            // The text of a statement contains its values, such as a delivery.
            .disable_statement_logging();
        let pool = PgPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
        let pool = match pool.connect_with(options.clone()).await {
            // The pool retries until its timeout, and then omits the cause. Connecting without the pool
            // returns the cause.
            Err(sqlx::Error::PoolTimedOut) => {
                timeout(ACQUIRE_TIMEOUT, options.connect()).await??;
                return Err(sqlx::Error::PoolTimedOut.into());
            }
            pool => pool?,
        };
        let encoding = raw_sql("SHOW server_encoding").fetch_one(&pool);
        let encoding = timeout(STATEMENT_TIMEOUT, encoding).await??;
        let encoding: String = encoding.try_get(0)?;
        match encoding.as_str() {
            "UTF8" | "SQL_ASCII" => Ok(Self::Postgres(pool)),
            // The text of a delivery may contain characters that other encodings lack.
            _ => Err(format!("expected a database in UTF8, not in {encoding}").into()),
        }
    }

    /// Runs a statement and commits.
    pub(super) async fn run<T>(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, Error>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
    {
        match self {
            Self::Sqlite(pool, files) => {
                let statement = query(AssertSqlSafe(text(SQLITE, statement)));
                let statement = values
                    .iter()
                    .fold(statement, |statement, value| match *value {
                        Value::Number(number) => statement.bind(number),
                        Value::Text(text) => statement.bind(text),
                        Value::Bytes(bytes) => statement.bind(bytes),
                    });
                let rows = timeout(STATEMENT_TIMEOUT, statement.fetch_all(pool)).await??;
                files.check()?;
                decoded(&rows)
            }
            Self::Postgres(pool) => {
                let statement = with_values(text(POSTGRES, statement), values);
                let statement = format!("{BYTES_IN_HEX}{statement}");
                // A task, because sqlx cannot reuse a connection until a cancelled statement has ended.
                let rows = tokio::spawn(run_in_postgres(pool.clone(), statement));
                decoded(&rows.await??)
            }
        }
    }
}

async fn run_in_postgres(pool: PgPool, statement: String) -> Result<Vec<PgRow>, Error> {
    let mut connection = pool.acquire().await?;
    let statement = raw_sql(AssertSqlSafe(statement));
    let rows = timeout(STATEMENT_TIMEOUT, statement.fetch_all(&mut *connection)).await;
    if !matches!(rows, Ok(Ok(_))) {
        // Closes the connection, because the server may be unresponsive, or may have become a standby.
        drop(connection.detach());
    }
    Ok(rows??)
}

fn decoded<'r, R: Row, T: FromRow<'r, R>>(rows: &'r [R]) -> Result<Vec<T>, Error> {
    Ok(rows.iter().map(T::from_row).collect::<Result<_, _>>()?)
}

/// Replaces the placeholders of a statement.
fn text(dialect: &Dialect, statement: &str) -> String {
    let replace = |text: String, (word, meaning): &(&str, &str)| text.replace(word, meaning);
    dialect.iter().fold(statement.to_owned(), replace)
}

/// Writes values into a statement for PostgreSQL, as numbers and hex digits.
///
/// Bound values would need two round trips. In transaction mode, PgBouncer may use another server
/// connection for the second one.
fn with_values(mut statement: String, values: &[Value<'_>]) -> String {
    for (value, number) in values.iter().zip(1..) {
        let value = match value {
            Value::Number(Some(number)) => number.to_string(),
            Value::Text(Some(text)) => format!("convert_from({}, 'UTF8')", bytea(text.as_bytes())),
            Value::Bytes(bytes) => bytea(bytes),
            Value::Number(None) | Value::Text(None) => "NULL".to_owned(),
        };
        statement = statement.replace(&format!("${number}"), &value);
    }
    statement
}

fn bytea(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    // Formats 16 bytes at once, because a result may be 16 MiB long.
    for chunk in bytes.chunks(16) {
        let number = chunk
            .iter()
            .fold(0, |number, byte| number << 8 | u128::from(*byte));
        let _ = write!(digits, "{number:0width$x}", width = 2 * chunk.len());
    }
    format!("decode('{digits}', 'hex')")
}

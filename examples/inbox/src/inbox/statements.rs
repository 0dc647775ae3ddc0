/// The statements in the dialect of one database.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) table: &'static str,
    /// Selects the path of the database's file.
    pub(super) path: Option<&'static str>,
    pub(super) check: &'static str,
    pub(super) add: &'static str,
    pub(super) take: &'static str,
    pub(super) settle: &'static str,
    pub(super) latest: &'static str,
    pub(super) of_task: &'static str,
}

macro_rules! table {
    ($lock:literal, $bytes:literal) => {
        concat!(
            $lock,
            "CREATE TABLE IF NOT EXISTS deliveries (
                delivery_id TEXT NOT NULL PRIMARY KEY,
                process_id TEXT,
                body ",
            $bytes,
            " NOT NULL,
                received_at BIGINT NOT NULL,
                due_at BIGINT,
                attempts BIGINT NOT NULL,
                error TEXT,
                result TEXT
            );
            CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at)
                WHERE due_at IS NOT NULL;
            CREATE INDEX IF NOT EXISTS deliveries_process ON deliveries (process_id);
            CREATE INDEX IF NOT EXISTS deliveries_received ON deliveries (received_at);"
        )
    };
}

/// Fails if the table has other columns, or a body of text, or cannot be written to.
const CHECK: &str = "
    UPDATE deliveries
    SET delivery_id = '', process_id = NULL, body = $1, received_at = 0, due_at = NULL,
        attempts = 0, error = NULL, result = NULL
    WHERE body = $1 AND 1 = 0";

const ADD: &str = "
    INSERT INTO deliveries (delivery_id, process_id, body, received_at, due_at, attempts, error)
    VALUES ($1, $2, $3, $4, $5, 0, $6)
    ON CONFLICT (delivery_id) DO NOTHING
    RETURNING delivery_id";

// In SQLite, a row that was changed by hand may have values of any type. Therefore text is read as
// bytes, and each column is cast: no row can keep the others from being read.
macro_rules! columns {
    (sqlite) => {
        "CAST(delivery_id AS BLOB) AS delivery_id, CAST(process_id AS BLOB) AS process_id,
        CAST(body AS BLOB) AS body, CAST(attempts AS BIGINT) AS attempts,
        CAST(due_at AS BIGINT) AS due_at, CAST(error AS BLOB) AS error,
        CASE WHEN result IS NULL THEN 0 ELSE 1 END AS is_stored"
    };
    (postgres) => {
        "convert_to(delivery_id, 'UTF8') AS delivery_id,
        convert_to(process_id, 'UTF8') AS process_id, body, attempts, due_at,
        convert_to(error, 'UTF8') AS error,
        CASE WHEN result IS NULL THEN 0 ELSE 1 END AS is_stored"
    };
}

macro_rules! take {
    ($dialect:ident, $lock:literal) => {
        concat!(
            "UPDATE deliveries SET
                attempts = CASE WHEN attempts < $3 THEN attempts + 1 ELSE attempts END,
                due_at = CASE WHEN attempts < $3 THEN $2 END,
                error = CASE WHEN attempts < $3 THEN error
                    ELSE 'taken ' || CAST(attempts AS TEXT) || ' times without an end' END
            WHERE delivery_id = (
                SELECT delivery_id FROM deliveries WHERE due_at <= $1
                ORDER BY due_at LIMIT 1 ",
            $lock,
            ")
            RETURNING ",
            columns!($dialect)
        )
    };
}

const SETTLE: &str = "
    UPDATE deliveries SET result = $3, error = $4, due_at = $5
    WHERE delivery_id = $1 AND attempts = $2 AND due_at IS NOT NULL";

macro_rules! latest {
    ($dialect:ident) => {
        concat!(
            "SELECT ",
            columns!($dialect),
            " FROM deliveries ORDER BY received_at DESC LIMIT 1000"
        )
    };
}

macro_rules! of_task {
    ($dialect:ident, $result:literal) => {
        concat!(
            "SELECT ",
            columns!($dialect),
            ", ",
            $result,
            " AS result FROM deliveries WHERE process_id = $1
            ORDER BY is_stored DESC, received_at DESC LIMIT 1"
        )
    };
}

pub(super) const SQLITE: Statements = Statements {
    table: table!("", "BLOB"),
    path: Some("SELECT file FROM pragma_database_list WHERE name = 'main'"),
    check: CHECK,
    add: ADD,
    take: take!(sqlite, ""),
    settle: SETTLE,
    latest: latest!(sqlite),
    of_task: of_task!(sqlite, "CAST(result AS BLOB)"),
};

pub(super) const POSTGRES: Statements = Statements {
    // If several processes start at the same time, one of them creates the table.
    table: table!("SELECT pg_advisory_xact_lock(7201948503518261);", "BYTEA"),
    path: None,
    check: CHECK,
    add: ADD,
    take: take!(postgres, "FOR UPDATE SKIP LOCKED"),
    settle: SETTLE,
    latest: latest!(postgres),
    of_task: of_task!(postgres, "convert_to(result, 'UTF8')"),
};

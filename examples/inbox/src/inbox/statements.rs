/// Placeholders in the statements, each with its SQL in one database.
pub(super) type Dialect = [(&'static str, &'static str)];

// A SQLite column may contain values of any type. Text is selected as bytes, and all columns are cast, so
// a row that was changed by hand does not prevent reading the others.
pub(super) const SQLITE: &Dialect = &[
    (
        "{columns}",
        "CAST(delivery_id AS BLOB), CAST(process_id AS BLOB), CAST(body AS BLOB),
        CAST(attempts AS BIGINT), CAST(due_at AS BIGINT), CAST(error AS BLOB), result IS NOT NULL",
    ),
    ("{result}", "CAST(result AS BLOB)"),
    ("{bytes}", "BLOB"),
    ("{now}", "CAST(unixepoch('subsec') * 1000 AS BIGINT)"),
    ("{alone}", ""),
    ("{skip locked}", ""),
];

pub(super) const POSTGRES: &Dialect = &[
    (
        "{columns}",
        "convert_to(delivery_id, 'UTF8'), convert_to(process_id, 'UTF8'), body,
        CAST(attempts AS BIGINT), CAST(due_at AS BIGINT), convert_to(error, 'UTF8'),
        result IS NOT NULL",
    ),
    ("{result}", "convert_to(result, 'UTF8')"),
    ("{bytes}", "BYTEA"),
    (
        "{now}",
        "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)",
    ),
    // The lock lets one process at a time create the table.
    ("{alone}", "SELECT pg_advisory_xact_lock(7201948503518261);"),
    ("{skip locked}", "FOR UPDATE SKIP LOCKED"),
];

pub(super) const TABLE: &str = "{alone}
    CREATE TABLE IF NOT EXISTS deliveries (
        delivery_id TEXT NOT NULL PRIMARY KEY,
        process_id TEXT,
        body {bytes} NOT NULL,
        received_at BIGINT NOT NULL,
        due_at BIGINT,
        attempts BIGINT NOT NULL,
        error TEXT,
        result TEXT
    );
    CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
    CREATE INDEX IF NOT EXISTS deliveries_process ON deliveries (process_id);
    CREATE INDEX IF NOT EXISTS deliveries_received ON deliveries (received_at);";

/// Changes no row. Fails if a column or the key is missing, if `body` is text in PostgreSQL, or if the role
/// may not insert or update rows.
pub(super) const CHECK: &str = "
    UPDATE deliveries
    SET delivery_id = '', process_id = NULL, body = $1, received_at = 0, due_at = NULL,
        attempts = 0, error = NULL, result = NULL
    WHERE body = $1 AND 1 = 0;
    INSERT INTO deliveries (delivery_id, process_id, body, received_at, due_at, attempts, error)
    SELECT '', NULL, $1, 0, NULL, 0, NULL WHERE 1 = 0
    ON CONFLICT (delivery_id) DO NOTHING";

pub(super) const ADD: &str = "
    INSERT INTO deliveries (delivery_id, process_id, body, received_at, due_at, attempts, error)
    VALUES ($1, $2, $3, {now}, {now} + $4, 0, $5)
    ON CONFLICT (delivery_id) DO NOTHING
    RETURNING TRUE";

pub(super) const TAKE: &str = "
    UPDATE deliveries SET
        attempts = CASE WHEN attempts < $2 THEN attempts + 1 ELSE attempts END,
        due_at = CASE WHEN attempts < $2 THEN {now} + $1 END,
        error = CASE WHEN attempts < $2 THEN error
            ELSE 'not completed after ' || CAST(attempts AS TEXT) || ' attempts' END
    WHERE delivery_id = (
        SELECT delivery_id FROM deliveries WHERE due_at <= {now}
        ORDER BY due_at LIMIT 1 {skip locked})
    RETURNING {columns}, CAST(NULL AS {bytes})";

pub(super) const SETTLE: &str = "
    UPDATE deliveries SET result = $3, error = $4, due_at = {now} + $5
    WHERE delivery_id = $1 AND attempts = $2 AND due_at IS NOT NULL";

pub(super) const LATEST: &str = "
    SELECT {columns}, CAST(NULL AS {bytes}) FROM deliveries
    ORDER BY received_at DESC LIMIT 1000";

pub(super) const OF_TASK: &str = "
    SELECT {columns}, {result} FROM deliveries WHERE process_id = $1
    ORDER BY result IS NOT NULL DESC, received_at DESC LIMIT 1";

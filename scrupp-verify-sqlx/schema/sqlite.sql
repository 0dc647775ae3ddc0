-- Deliveries that are in flight or acknowledged. Times are milliseconds since 1970.
CREATE TABLE IF NOT EXISTS scrupp_deliveries (
    id BLOB NOT NULL PRIMARY KEY,
    -- The token of the claim. NULL if the delivery is acknowledged.
    token BLOB,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS scrupp_deliveries_expires_at ON scrupp_deliveries (expires_at);
-- Each new delivery removes up to four expired ones.
CREATE TRIGGER IF NOT EXISTS scrupp_deliveries_purge AFTER INSERT ON scrupp_deliveries BEGIN
    DELETE FROM scrupp_deliveries WHERE id IN (
        SELECT id FROM scrupp_deliveries
        WHERE expires_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) AND id <> new.id
        ORDER BY expires_at LIMIT 4
    );
END;
-- The format of the tables, and the lowest format that a release must support to use the tables.
CREATE TABLE IF NOT EXISTS scrupp_deliveries_format (format INTEGER NOT NULL, oldest INTEGER NOT NULL);
INSERT INTO scrupp_deliveries_format
    SELECT 1, 1 WHERE NOT EXISTS (SELECT 1 FROM scrupp_deliveries_format);

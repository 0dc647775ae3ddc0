-- The deliveries that are in flight or acknowledged.
CREATE TABLE IF NOT EXISTS scrupp_deliveries (
    id bytea NOT NULL PRIMARY KEY,
    -- The attempt that holds the claim. NULL: the delivery is acknowledged.
    token bytea,
    expires_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS scrupp_deliveries_expires_at ON scrupp_deliveries (expires_at);
-- The format of the table, and the oldest release format that can still use it.
CREATE TABLE IF NOT EXISTS scrupp_deliveries_format (format integer NOT NULL, oldest integer NOT NULL);
INSERT INTO scrupp_deliveries_format
    SELECT 1, 1 WHERE NOT EXISTS (SELECT 1 FROM scrupp_deliveries_format);

-- Deliveries that are in flight or acknowledged.
CREATE TABLE IF NOT EXISTS scrupp_deliveries (
    id bytea NOT NULL PRIMARY KEY,
    -- The token of the claim. NULL if the delivery is acknowledged.
    token bytea,
    expires_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS scrupp_deliveries_expires_at ON scrupp_deliveries (expires_at);
-- The format of the tables, and the lowest format that a release must support to use the tables.
CREATE TABLE IF NOT EXISTS scrupp_deliveries_format (format integer NOT NULL, oldest integer NOT NULL);
INSERT INTO scrupp_deliveries_format
    SELECT 1, 1 WHERE NOT EXISTS (SELECT 1 FROM scrupp_deliveries_format);

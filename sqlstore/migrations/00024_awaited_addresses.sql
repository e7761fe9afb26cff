-- Since when a new account waits for its first address to be confirmed. It is NULL for everybody else,
-- and so for all who signed up before.

ALTER TABLE {users} ADD COLUMN awaits_address_since {{.Time}};
CREATE INDEX {{.IndexPrefix}}users_by_awaited_address ON {users} (awaits_address_since) WHERE awaits_address_since IS NOT NULL;

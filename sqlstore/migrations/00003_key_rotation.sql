-- When a signing key begins to sign, and when it was revoked. What it is at a
-- moment (next, current, previous) follows from these times.

ALTER TABLE {signing_keys} ADD COLUMN activates_at {{.Time}};
ALTER TABLE {signing_keys} ADD COLUMN revoked_at {{.Time}};

UPDATE {signing_keys} SET activates_at = created_at;

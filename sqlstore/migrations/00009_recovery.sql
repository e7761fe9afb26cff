-- Ways back into an account whose passkeys are lost. None leads further than to a
-- session that may add a passkey, and that passkey waits.

-- Keyed digests, never the codes. Who uses one uses up all of the user's.
CREATE TABLE {recovery_codes} (
    digest     {{.Blob}} PRIMARY KEY,
    user_id    {{.UUID}} NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    created_at {{.Time}} NOT NULL
);
CREATE INDEX {{.IndexPrefix}}recovery_codes_by_user ON {recovery_codes} (user_id);

-- A recovery that waits, and whether the password of now was set by who holds the
-- mailbox: then password and mailbox are one proof and not two.
ALTER TABLE {users} ADD COLUMN recovery_started_at {{.Time}};
ALTER TABLE {users} ADD COLUMN recovery_ready_at {{.Time}};
ALTER TABLE {users} ADD COLUMN password_by_mail BOOLEAN NOT NULL DEFAULT FALSE;

-- By what a session came about that may do nothing but add a passkey; empty for others.
ALTER TABLE {sessions} ADD COLUMN recovered_by TEXT NOT NULL DEFAULT '';

-- From when a passkey works that was added in such a session.
ALTER TABLE {passkeys} ADD COLUMN usable_from {{.Time}};

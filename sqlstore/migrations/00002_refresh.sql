-- Refresh tokens, what a session is recognised by, and sessions that ended early.
-- A refresh token is derived from salt and generation; it is never stored.

ALTER TABLE {sessions} ADD COLUMN refresh_mode TEXT NOT NULL DEFAULT '';
ALTER TABLE {sessions} ADD COLUMN salt {{.Blob}};
ALTER TABLE {sessions} ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE {sessions} ADD COLUMN raised_generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE {sessions} ADD COLUMN rotated_at {{.Time}};
ALTER TABLE {sessions} ADD COLUMN last_seen_at {{.Time}};
ALTER TABLE {sessions} ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE {sessions} ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE {sessions} ADD COLUMN end_reason TEXT NOT NULL DEFAULT '';

UPDATE {sessions} SET rotated_at = created_at, last_seen_at = created_at;

CREATE INDEX {{.IndexPrefix}}sessions_by_end ON {sessions} (ended_at);

-- When the passkey that a session was raised with was deleted. Guards refuse tokens at level full
-- that are older.

ALTER TABLE {sessions} ADD COLUMN lowered_at {{.Time}};
CREATE INDEX {{.IndexPrefix}}sessions_by_lowering ON {sessions} (lowered_at) WHERE lowered_at IS NOT NULL;

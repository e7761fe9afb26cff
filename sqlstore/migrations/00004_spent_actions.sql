-- Action tokens that were used, until they expire.

CREATE TABLE {spent_actions} (
    id         TEXT PRIMARY KEY,
    expires_at {{.Time}} NOT NULL
);
CREATE INDEX {{.IndexPrefix}}spent_actions_by_expiry ON {spent_actions} (expires_at);

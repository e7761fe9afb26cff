-- Sessions that ended, in the order in which they are read page by page, with all that is
-- read of them. Open sessions of a user, without going through those that ended.

DROP INDEX {sessions_by_end};
CREATE INDEX {{.IndexPrefix}}sessions_by_end ON {sessions} (ended_at, id, user_id) WHERE ended_at IS NOT NULL;
CREATE INDEX {{.IndexPrefix}}open_sessions_by_user ON {sessions} (user_id, expires_at) WHERE ended_at IS NULL;

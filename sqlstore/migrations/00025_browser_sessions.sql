-- The cookies by which applications behind the gate know a session, each at its origin. A row begins
-- with the digest of a code and of the nonce that has to come with it. Once the code was used, the
-- digest is that of the cookie, and the other two columns are NULL.

CREATE TABLE {browser_sessions} (
    digest          {{.Blob}} PRIMARY KEY,
    session_id      {{.UUID}} NOT NULL REFERENCES {sessions} (id) ON DELETE CASCADE,
    origin          TEXT NOT NULL,
    nonce           {{.Blob}},
    code_expires_at {{.Time}}
);
CREATE INDEX {{.IndexPrefix}}browser_sessions_by_session ON {browser_sessions} (session_id, origin);
CREATE INDEX {{.IndexPrefix}}browser_sessions_by_expiry ON {browser_sessions} (code_expires_at) WHERE code_expires_at IS NOT NULL;

-- Refused answers of passkeys, for an operator who is asked why one does not work. There
-- is one row for each ceremony and reason of a user, so their number is bounded. Times
-- are microseconds since 1970.

CREATE TABLE {refused_ceremonies} (
    user_id    {{.UUID}} NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    ceremony   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    request_id TEXT NOT NULL,
    times      BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    PRIMARY KEY (user_id, ceremony, reason)
);
CREATE INDEX {{.IndexPrefix}}refused_ceremonies_by_time ON {refused_ceremonies} (last_at);

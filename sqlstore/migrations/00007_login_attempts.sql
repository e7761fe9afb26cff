-- Failed attempts at passwords, by a keyed hash of whose they are. Times are
-- microseconds since 1970, so that one statement can reckon with them in both databases.

CREATE TABLE {login_attempts} (
    key           {{.Blob}} PRIMARY KEY,
    known         BOOLEAN NOT NULL,
    failures      INTEGER NOT NULL,
    in_a_row      INTEGER NOT NULL,
    blocked_until BIGINT NOT NULL,
    last_at       BIGINT NOT NULL
);
CREATE INDEX {{.IndexPrefix}}login_attempts_by_time ON {login_attempts} (last_at);

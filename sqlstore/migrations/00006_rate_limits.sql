-- Buckets that are not full: when each will be, in microseconds since 1970, so that
-- both databases calculate with it alike.

CREATE TABLE {rate_limits} (
    bucket  TEXT PRIMARY KEY,
    full_at BIGINT NOT NULL
);
CREATE INDEX {{.IndexPrefix}}rate_limits_by_full_at ON {rate_limits} (full_at);

-- Challenges that are kept elsewhere and were used here. One that comes back,
-- because a snapshot was restored there, is not taken again.

CREATE TABLE {used_challenges} (
    digest     {{.Blob}} PRIMARY KEY,
    expires_at {{.Time}} NOT NULL
);
CREATE INDEX {{.IndexPrefix}}used_challenges_by_expiry ON {used_challenges} (expires_at);

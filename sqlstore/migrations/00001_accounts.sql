-- Users, their passkeys and sessions, and what the service itself remembers.

CREATE TABLE {users} (
    id               {{.UUID}} PRIMARY KEY,
    username         TEXT NOT NULL,
    canonical_name   TEXT NOT NULL UNIQUE,
    password_hash    TEXT NOT NULL,
    password_version INTEGER NOT NULL,
    handle           {{.Blob}} NOT NULL UNIQUE,
    created_at       {{.Time}} NOT NULL,
    disabled_at      {{.Time}}
);

-- The key is unique over all users: a credential answers for one of them only
-- (WebAuthn L3 section 7.1, step 26).
CREATE TABLE {passkeys} (
    id            {{.UUID}} PRIMARY KEY,
    user_id       {{.UUID}} NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    credential_id {{.Blob}} NOT NULL UNIQUE,
    public_key    {{.Blob}} NOT NULL,
    algorithm     INTEGER NOT NULL,
    aaguid        {{.UUID}} NOT NULL,
    sign_count    BIGINT NOT NULL,
    flags         INTEGER NOT NULL,
    transports    TEXT NOT NULL,
    name          TEXT NOT NULL,
    created_at    {{.Time}} NOT NULL,
    last_used_at  {{.Time}}
);
CREATE INDEX {{.IndexPrefix}}passkeys_by_user ON {passkeys} (user_id);

CREATE TABLE {sessions} (
    id               {{.UUID}} PRIMARY KEY,
    user_id          {{.UUID}} NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    password_version INTEGER NOT NULL,
    password_at      {{.Time}} NOT NULL,
    full_at          {{.Time}},
    full_passkey_id  {{.UUID}},
    created_at       {{.Time}} NOT NULL,
    expires_at       {{.Time}} NOT NULL,
    ended_at         {{.Time}}
);
CREATE INDEX {{.IndexPrefix}}sessions_by_user ON {sessions} (user_id);
CREATE INDEX {{.IndexPrefix}}sessions_by_expiry ON {sessions} (expires_at);

-- The digest of a challenge, never the challenge. No foreign keys: challenges may
-- as well be kept elsewhere.
CREATE TABLE {challenges} (
    digest     {{.Blob}} PRIMARY KEY,
    purpose    TEXT NOT NULL,
    user_id    {{.UUID}} NOT NULL,
    session_id {{.UUID}} NOT NULL,
    state      {{.Blob}} NOT NULL,
    created_at {{.Time}} NOT NULL,
    expires_at {{.Time}} NOT NULL
);
CREATE INDEX {{.IndexPrefix}}challenges_by_session ON {challenges} (session_id);
CREATE INDEX {{.IndexPrefix}}challenges_by_expiry ON {challenges} (expires_at);

-- No foreign keys: what happened stays true after the user is gone.
CREATE TABLE {events} (
    id         {{.UUID}} PRIMARY KEY,
    kind       TEXT NOT NULL,
    at         {{.Time}} NOT NULL,
    user_id    {{.UUID}} NOT NULL,
    session_id {{.UUID}},
    passkey_id {{.UUID}},
    reason     TEXT NOT NULL
);
CREATE INDEX {{.IndexPrefix}}events_by_user ON {events} (user_id, at);

CREATE TABLE {settings} (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE {signing_keys} (
    id         TEXT PRIMARY KEY,
    sealed     {{.Blob}} NOT NULL,
    created_at {{.Time}} NOT NULL
);

-- Users of applications that sign their users in themselves. Realm is the application, '' this
-- service; external_key is the application's key of the user, compared byte by byte, which a text
-- column would not promise. display_name is the name that devices show beside the user name.

ALTER TABLE {users} ADD COLUMN realm TEXT NOT NULL DEFAULT '';
ALTER TABLE {users} ADD COLUMN external_key {{.Blob}};
ALTER TABLE {users} ADD COLUMN display_name TEXT NOT NULL DEFAULT '';

-- Until when support lets the user add a passkey without one of the old ones, and when the user
-- last declined to add a first one.
ALTER TABLE {users} ADD COLUMN allow_until {{.Time}};
ALTER TABLE {users} ADD COLUMN offer_declined_at {{.Time}};

CREATE UNIQUE INDEX {{.IndexPrefix}}users_by_external_key ON {users} (realm, external_key) WHERE external_key IS NOT NULL;
CREATE INDEX {{.IndexPrefix}}external_users_by_last_sign_in ON {users} (last_sign_in_at) WHERE external_key IS NOT NULL;

-- They have no password, so their column holds nothing that could be an old hash.
DROP INDEX {users_by_old_hash};
CREATE INDEX {{.IndexPrefix}}users_by_old_hash ON {users} (password_hash{{.ByteOrder}})
    WHERE substr(password_hash, 1, 31) <> '$argon2id$v=19$m=19456,t=2,p=1$' AND realm = '';

-- What a passkey was verified for and the application has not seen yet: a digest of an action.
CREATE TABLE {consents} (
    session_id {{.UUID}} NOT NULL,
    digest     {{.Blob}} NOT NULL,
    expires_at {{.Time}} NOT NULL,
    PRIMARY KEY (session_id, digest)
);
CREATE INDEX {{.IndexPrefix}}consents_by_expiry ON {consents} (expires_at);

-- How often each outcome of a rule came on a day, counted by the instances and added up here.
CREATE TABLE {purpose_counts} (
    realm   TEXT NOT NULL,
    day     {{.Time}} NOT NULL,
    purpose TEXT NOT NULL,
    route   TEXT NOT NULL,
    outcome TEXT NOT NULL,
    n       BIGINT NOT NULL,
    PRIMARY KEY (realm, day, purpose, route, outcome)
);
CREATE INDEX {{.IndexPrefix}}purpose_counts_by_day ON {purpose_counts} (day);

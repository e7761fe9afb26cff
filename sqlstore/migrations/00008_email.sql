-- Addresses that somebody confirmed in an account, the links that were sent to
-- addresses, and mails that are to be sent.

-- One for each account. The same one may belong to several: folded, in lower case, is
-- how it is looked up.
CREATE TABLE {emails} (
    user_id      {{.UUID}} PRIMARY KEY REFERENCES {users} (id) ON DELETE CASCADE,
    address      TEXT NOT NULL,
    folded       TEXT NOT NULL,
    confirmed_at {{.Time}} NOT NULL
);
CREATE INDEX {{.IndexPrefix}}emails_by_folded ON {emails} (folded);

-- The digest of what makes a link, never the link. Of each purpose a user has one, the
-- newest; but for freezing, where every notice has a link of its own. A link with a
-- password version is worth nothing once the password has changed.
CREATE TABLE {mail_links} (
    digest           {{.Blob}} PRIMARY KEY,
    purpose          TEXT NOT NULL,
    user_id          {{.UUID}} NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    address          TEXT NOT NULL,
    password_version INTEGER,
    expires_at       {{.Time}} NOT NULL
);
CREATE UNIQUE INDEX {{.IndexPrefix}}mail_links_one_each ON {mail_links} (user_id, purpose) WHERE purpose <> 'freeze';
CREATE INDEX {{.IndexPrefix}}mail_links_by_user ON {mail_links} (user_id);
CREATE INDEX {{.IndexPrefix}}mail_links_by_expiry ON {mail_links} (expires_at);

-- No foreign key: that an account was deleted is told after it is gone.
CREATE TABLE {outbox} (
    id          {{.UUID}} PRIMARY KEY,
    user_id     {{.UUID}},
    recipient   TEXT NOT NULL,
    kind        TEXT NOT NULL,
    sealed      {{.Blob}} NOT NULL,
    created_at  {{.Time}} NOT NULL,
    expires_at  {{.Time}} NOT NULL,
    next_try_at {{.Time}} NOT NULL,
    tries       INTEGER NOT NULL
);
CREATE INDEX {{.IndexPrefix}}outbox_by_next_try ON {outbox} (next_try_at);

-- Invitations to sign up that were neither used nor revoked. The digest is that of the token in the
-- link, which is kept nowhere. The address is empty, or what the new account gets.

CREATE TABLE {invitations} (
    id         {{.UUID}} PRIMARY KEY,
    digest     {{.Blob}} NOT NULL,
    address    TEXT NOT NULL,
    created_at {{.Time}} NOT NULL,
    expires_at {{.Time}} NOT NULL
);
CREATE UNIQUE INDEX {{.IndexPrefix}}invitations_by_digest ON {invitations} (digest);
CREATE INDEX {{.IndexPrefix}}invitations_by_expiry ON {invitations} (expires_at);

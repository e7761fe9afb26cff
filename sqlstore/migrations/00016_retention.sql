-- What keeps tables from growing without end.

-- When a user last signed in stands with the user: the events that say so are deleted in time.
ALTER TABLE {users} ADD COLUMN last_sign_in_at {{.Time}};
UPDATE {users} AS u SET last_sign_in_at = (
    SELECT e.at FROM {events} e WHERE e.user_id = u.id AND e.kind = 'session.started' ORDER BY e.at DESC LIMIT 1)
WHERE u.deleted_at IS NULL;

CREATE INDEX {{.IndexPrefix}}events_by_time ON {events} (at);
CREATE INDEX {{.IndexPrefix}}outbox_by_expiry ON {outbox} (expires_at);

-- When a count of attempts can be forgotten, in microseconds since 1970; NULL for as long as
-- the account exists. Rows from before this column do not say whether they belong to an
-- account, a session or a device, so they last as long as a device; the next attempt
-- corrects that.
ALTER TABLE {login_attempts} ADD COLUMN forget_at BIGINT;
UPDATE {login_attempts} SET forget_at = last_at + CASE WHEN known THEN 15552000000000 ELSE 2592000000000 END;
CREATE INDEX {{.IndexPrefix}}login_attempts_by_forgetting ON {login_attempts} (forget_at);

-- What a mailbox alone is worth, and what stops a password that somebody else knows.

-- When the password was set by mail: until the cool-off has passed since, it is worth no
-- more than the mailbox. For passwords from before this column, the newest reset counts.
ALTER TABLE {users} ADD COLUMN password_by_mail_at {{.Time}};
UPDATE {users} SET password_by_mail_at = COALESCE(
    (SELECT e.at FROM {events} e WHERE e.user_id = {users}.id AND e.kind = 'password.reset' ORDER BY e.at DESC LIMIT 1),
    created_at)
WHERE password_by_mail;

-- The password signs nobody in until another one is set.
ALTER TABLE {users} ADD COLUMN password_stopped BOOLEAN NOT NULL DEFAULT FALSE;

-- The digest of the device that asked for the link; NULL where it is not known.
ALTER TABLE {mail_links} ADD COLUMN asked_by {{.Blob}};

-- The language of a user's mails, as a BCP 47 tag; empty is the service's default. That of an invitation
-- is the one of its mail, and of the account that is made with it.

ALTER TABLE {users} ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE {invitations} ADD COLUMN language TEXT NOT NULL DEFAULT '';

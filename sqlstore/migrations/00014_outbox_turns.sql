-- The order in which mails are sent, and which of them are one.
--
-- rank: 0 for links, 2 for notices, and one more for a mail that was tried before. turn is
-- the place among mails of one rank; the mails of one mailbox have turns of their own, so
-- that mailboxes take turns. state is 'ready', 'sending' or, until next_try_at, 'later':
-- mails that are not ready are not in the index that the next one is taken from.
--
-- mailbox is the recipient in lower case, and topic what the mails of one user to one
-- mailbox have in common that wait as one; times says how many became one.

ALTER TABLE {outbox} ADD COLUMN rank INTEGER NOT NULL DEFAULT 2;
ALTER TABLE {outbox} ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE {outbox} ADD COLUMN state TEXT NOT NULL DEFAULT 'later';
ALTER TABLE {outbox} ADD COLUMN mailbox TEXT NOT NULL DEFAULT '';
ALTER TABLE {outbox} ADD COLUMN topic TEXT;
ALTER TABLE {outbox} ADD COLUMN times INTEGER NOT NULL DEFAULT 1;

UPDATE {outbox} SET mailbox = lower(recipient);
UPDATE {outbox} SET rank = 0 WHERE kind IN ('confirm_email', 'reset_password', 'finish_recovery', 'find_accounts');

DROP INDEX {outbox_by_next_try};
CREATE INDEX {{.IndexPrefix}}outbox_by_turn ON {outbox} (rank, turn, next_try_at, id, mailbox) WHERE state = 'ready';
CREATE INDEX {{.IndexPrefix}}outbox_by_next_try ON {outbox} (next_try_at) WHERE state <> 'ready';
CREATE INDEX {{.IndexPrefix}}outbox_being_sent ON {outbox} (next_try_at, mailbox) WHERE state = 'sending';
CREATE INDEX {{.IndexPrefix}}outbox_by_mailbox ON {outbox} (mailbox, rank, turn);
CREATE UNIQUE INDEX {{.IndexPrefix}}outbox_one_each ON {outbox} (user_id, mailbox, topic);

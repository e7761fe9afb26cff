package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// The states of a mail. Only ready mails are in the index outbox_by_turn, so that
// finding the next one does not have to skip mails that must wait.
const (
	mailLater   = "later"   // until next_try_at
	mailReady   = "ready"   // to be handed out
	mailSending = "sending" // handed out; ready again at next_try_at unless its fate is reported
)

// The ranks of mails. A mail that was tried before has the next rank.
const (
	rankLink   = 0
	rankNotice = 2
)

const (
	// mailWindow is how many additional mails a claim of several searches for different
	// mailboxes. Mails of one mailbox have different turns, so others are soon found.
	// With a larger window, PostgreSQL sorts all rows as long as it has no statistics.
	mailWindow = 16

	// mailsMadeReady bounds how many mails whose wait is over one claim makes ready,
	// in addition to the number that it may hand out.
	mailsMadeReady = 100
)

// QueueMail implements storage.MailTx. The turn of a mail follows that of the last one to
// its mailbox, and is not before that of the mail that is next: this is start-time fair
// queueing with the mailbox as the flow, in which each mail costs the same. It is
// calculated from three index entries. A mail that replaces another keeps its turn.
func (t *tx) QueueMail(ctx context.Context, m storage.QueuedMail) error {
	state, rank := mailReady, rankNotice
	if m.Later {
		state = mailLater
	}
	if m.Urgent {
		rank = rankLink
	}
	_, err := t.ExecContext(ctx, `
		INSERT INTO {outbox} AS o (id, user_id, recipient, mailbox, topic, kind, sealed, created_at, expires_at, next_try_at,
			tries, state, rank, times, turn)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, 0, $10, $11, 1, (SELECT COALESCE(max(turn), 0) FROM (
			SELECT (SELECT turn FROM {outbox} WHERE mailbox = $4 AND rank = $11 ORDER BY turn DESC LIMIT 1) + 1 AS turn
			UNION ALL
			SELECT (SELECT turn FROM {outbox} WHERE mailbox = $4 AND rank = $12 ORDER BY turn DESC LIMIT 1) + 1
			UNION ALL
			SELECT (SELECT turn FROM {outbox} WHERE state = 'ready' AND rank = $11 ORDER BY turn LIMIT 1)
		) turns))
		ON CONFLICT (user_id, mailbox, topic) DO UPDATE SET
			id = excluded.id, recipient = excluded.recipient, kind = excluded.kind, sealed = excluded.sealed,
			created_at = excluded.created_at, expires_at = excluded.expires_at, next_try_at = excluded.next_try_at,
			tries = 0, state = excluded.state, rank = excluded.rank,
			times = CASE WHEN o.state = 'sending' THEN 1 ELSE o.times + 1 END`,
		m.ID, orNull(m.UserID), m.To, storage.FoldAddress(m.To), orNoTopic(m.Topic), string(m.Kind), m.Sealed, m.CreatedAt, m.ExpiresAt,
		state, rank, rank+1)
	return err
}

// orNoTopic returns NULL for mails without a topic, because a unique index
// allows any number of NULLs.
func orNoTopic(topic string) any {
	if topic == "" {
		return nil
	}
	return topic
}

// ClaimMail implements storage.MailStore. Rows that another instance is claiming at
// the same time are skipped. MATERIALIZED makes the database choose the rows once.
func (s *Store) ClaimMail(
	ctx context.Context, kinds []storage.MailKind, now, until time.Time, limit int,
) ([]storage.QueuedMail, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.readyMail(ctx, now, limit+mailsMadeReady); err != nil {
		return nil, err
	}
	in, args := inList(kinds, now, until, limit, limit+mailWindow)
	rows, err := s.write.QueryContext(ctx, `
		WITH next AS MATERIALIZED (
			SELECT id, mailbox, rank, turn, next_try_at FROM {outbox}
			WHERE state = 'ready' AND next_try_at <= $1 AND kind IN `+in+` AND mailbox NOT IN (
				SELECT mailbox FROM {outbox} WHERE state = 'sending' AND next_try_at > $1 AND mailbox <> '')
			ORDER BY rank, turn, next_try_at, id LIMIT $4`+s.dialect.Skip+`
		), open AS MATERIALIZED (
			SELECT n.*, row_number() OVER (PARTITION BY n.mailbox ORDER BY n.rank, n.turn, n.next_try_at, n.id) AS nth
			FROM next n
		), due AS MATERIALIZED (
			SELECT id FROM open WHERE mailbox = '' OR nth = 1
			ORDER BY rank, turn, next_try_at, id LIMIT $3
		)
		UPDATE {outbox} SET state = 'sending', next_try_at = $2, tries = tries + 1, rank = rank | 1
		WHERE id IN (SELECT id FROM due)
		RETURNING id, user_id, recipient, kind, sealed, created_at, expires_at, tries, times`, args...)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var claimed []storage.QueuedMail
	for rows.Next() {
		var m storage.QueuedMail
		var userID uuid.NullUUID
		err := rows.Scan(&m.ID, &userID, &m.To, &m.Kind, &m.Sealed, &m.CreatedAt, &m.ExpiresAt, &m.Tries, &m.Times)
		if err != nil {
			return nil, s.translate(err)
		}
		m.UserID, m.CreatedAt, m.ExpiresAt = userID.UUID, m.CreatedAt.UTC(), m.ExpiresAt.UTC()
		claimed = append(claimed, m)
	}
	return claimed, s.translate(rows.Err())
}

// readyMail makes mails ready whose time has come or whose sender is gone.
func (s *Store) readyMail(ctx context.Context, now time.Time, limit int) error {
	_, err := s.write.ExecContext(ctx, `
		UPDATE {outbox} SET state = 'ready' WHERE id IN (
			SELECT id FROM {outbox} WHERE state <> 'ready' AND next_try_at <= $1
			ORDER BY next_try_at LIMIT $2`+s.dialect.Skip+`)`, now, limit)
	return s.translate(err)
}

// PutOffMail implements storage.MailStore.
func (s *Store) PutOffMail(ctx context.Context, id uuid.UUID, tries int, until time.Time) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	_, err := s.write.ExecContext(ctx,
		`UPDATE {outbox} SET next_try_at = $1, state = 'later' WHERE id = $2 AND tries = $3`, until, id, tries)
	return s.translate(err)
}

// DeleteMail implements storage.MailTx.
func (t *tx) DeleteMail(ctx context.Context, id uuid.UUID) (bool, error) {
	return changed(ctx, t, `DELETE FROM {outbox} WHERE id = $1`, id)
}

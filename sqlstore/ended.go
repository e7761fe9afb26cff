package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// EndedSessions implements storage.Store. It reads only an index.
func (s *Store) EndedSessions(ctx context.Context, after storage.EndedSession, limit int) ([]storage.EndedSession, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `
		SELECT id, user_id, ended_at FROM {sessions}
		WHERE ended_at IS NOT NULL AND (ended_at, id) > ($1, $2)
		ORDER BY ended_at, id LIMIT $3`, after.At, after.ID, limit)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var ended []storage.EndedSession
	for rows.Next() {
		var e storage.EndedSession
		if err := rows.Scan(&e.ID, &e.UserID, &e.At); err != nil {
			return nil, s.translate(err)
		}
		e.At = e.At.UTC()
		ended = append(ended, e)
	}
	return ended, s.translate(rows.Err())
}

// OpenSessions implements storage.Store.
func (s *Store) OpenSessions(
	ctx context.Context, userID uuid.UUID, createdBefore, expiringAfter time.Time, limit int,
) ([]uuid.UUID, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `
		SELECT id FROM {sessions}
		WHERE user_id = $1 AND ended_at IS NULL AND created_at < $2 AND expires_at > $3
		ORDER BY expires_at DESC LIMIT $4`, userID, createdBefore, expiringAfter, limit)
	if err != nil {
		return nil, s.translate(err)
	}
	open, err := ids(rows)
	return open, s.translate(err)
}

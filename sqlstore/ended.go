package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// EndedSessions implements storage.Store. Each half reads one index from its place on, up to the limit.
// PostgreSQL would otherwise read and sort everything after the place for each page.
func (s *Store) EndedSessions(ctx context.Context, after storage.EndedSession, limit int) ([]storage.EndedSession, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `
		SELECT id, user_id, at FROM (
			SELECT id, user_id, ended_at AS at FROM {sessions} WHERE ended_at IS NOT NULL AND (ended_at, id) > ($1, $2)
			ORDER BY ended_at, id LIMIT $3) ended
		UNION ALL
		SELECT mark, NULL, at FROM (
			SELECT mark, changed_at AS at FROM {attribute_changes} WHERE (changed_at, mark) > ($1, $2)
			ORDER BY changed_at, mark LIMIT $3) changed
		ORDER BY 3, 1 LIMIT $3`, after.At, after.ID, limit)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var ended []storage.EndedSession
	for rows.Next() {
		var e storage.EndedSession
		var user uuid.NullUUID
		if err := rows.Scan(&e.ID, &user, &e.At); err != nil {
			return nil, s.translate(err)
		}
		e.UserID, e.At = user.UUID, e.At.UTC()
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

package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// RecordRefusedCeremony implements storage.Store.
func (s *Store) RecordRefusedCeremony(ctx context.Context, r storage.RefusedCeremony) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	_, err := s.write.ExecContext(ctx, `
		INSERT INTO {refused_ceremonies} AS r (user_id, ceremony, reason, request_id, times, last_at)
		SELECT id, $2, $3, $4, 1, CAST($5 AS BIGINT) FROM {users} WHERE id = $1 AND deleted_at IS NULL
		ON CONFLICT (user_id, ceremony, reason) DO UPDATE SET
			request_id = excluded.request_id, times = r.times + 1, last_at = excluded.last_at`,
		r.UserID, string(r.Ceremony), r.Reason, r.RequestID, r.LastAt.UnixMicro())
	return s.translate(err)
}

// RefusedCeremonies implements storage.Store.
func (s *Store) RefusedCeremonies(ctx context.Context, userID uuid.UUID) ([]storage.RefusedCeremony, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `
		SELECT ceremony, reason, request_id, times, last_at FROM {refused_ceremonies}
		WHERE user_id = $1 ORDER BY last_at DESC, ceremony, reason`, userID)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var refused []storage.RefusedCeremony
	for rows.Next() {
		r := storage.RefusedCeremony{UserID: userID}
		var lastAt int64
		if err := rows.Scan(&r.Ceremony, &r.Reason, &r.RequestID, &r.Times, &lastAt); err != nil {
			return nil, s.translate(err)
		}
		r.LastAt = time.UnixMicro(lastAt).UTC()
		refused = append(refused, r)
	}
	return refused, s.translate(rows.Err())
}

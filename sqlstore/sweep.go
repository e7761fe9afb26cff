package sqlstore

import (
	"context"
	"time"

	"github.com/stepkey/stepkey"
)

// keepEnded is how long the row of a session stays after its end, for whoever
// looks into what happened. It is longer than any token that names the session.
const keepEnded = 24 * time.Hour

// keepUnknown is how long attempts on a name that nobody has are counted. It ends
// the same waits as for a name that somebody has, and a month of guessing at nobody
// tells less than a sign-up does at once.
const keepUnknown = 30 * 24 * time.Hour

// keepUnsent is how long a mail stays that is worth nothing any more. Whoever sends
// mails gives it up before that; where nobody does any longer, it goes here.
const keepUnsent = 24 * time.Hour

// Sweep deletes what nobody asks for any more: challenges, used ones and action
// tokens that have expired, links and mails that are worth nothing any more, buckets
// that are full again, attempts on names that nobody has, old records of refused
// ceremonies, names whose quarantine is over, and sessions that ended a day ago.
// Correctness does not depend on it; call it every few minutes so that tables stay small.
func (s *Store) Sweep(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	now := s.Now()
	for _, sweep := range []struct {
		statement string
		until     any
	}{
		{`DELETE FROM {challenges} WHERE expires_at <= $1`, now},
		{`DELETE FROM {used_challenges} WHERE expires_at <= $1`, now},
		{`DELETE FROM {spent_actions} WHERE expires_at <= $1`, now},
		{`DELETE FROM {mail_links} WHERE expires_at <= $1`, now},
		{`DELETE FROM {outbox} WHERE expires_at <= $1`, now.Add(-keepUnsent)},
		{`DELETE FROM {rate_limits} WHERE full_at <= $1`, now.UnixMicro()},
		{`DELETE FROM {login_attempts} WHERE NOT known AND last_at <= $1`, now.Add(-keepUnknown).UnixMicro()},
		{`DELETE FROM {refused_ceremonies} WHERE last_at <= $1`, now.Add(-stepkey.KeepRefusedCeremonies).UnixMicro()},
		{`DELETE FROM {users} WHERE deleted_at <= $1`, now.Add(-stepkey.NameQuarantine)},
		{`DELETE FROM {sessions} WHERE expires_at <= $1 OR ended_at <= $1`, now.Add(-keepEnded)},
	} {
		if _, err := s.db.write.ExecContext(ctx, sweep.statement, sweep.until); err != nil {
			return s.translate(err)
		}
	}
	return nil
}

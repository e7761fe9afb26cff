package sqlstore

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
	"github.com/stepkey/stepkey/storage"
)

// chunkRows is how many rows one statement adds or queries. It keeps the number of
// round trips small, and the number of parameters small enough for SQLite, which
// searches all of a statement's parameters for each of them.
const chunkRows = 100

// placeholders returns ($1, $2), ($3, $4) and so on.
func placeholders(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%columns == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(i + 1))
	}
	return b.String() + ")"
}

// ImportUsers implements storage.Tx. Rows that conflict with a unique column are
// missing from the result of the INSERT; only then does it look up which column it
// was.
func (t *tx) ImportUsers(ctx context.Context, batch []storage.UserRecord) ([]storage.UserOutcome, error) {
	added, err := t.insertUsers(ctx, batch)
	if err != nil {
		return nil, err
	}
	outcomes := make([]storage.UserOutcome, len(batch))
	var refused, comers []storage.UserRecord
	for i, r := range batch {
		if _, ok := added[r.User.ID]; ok {
			outcomes[i].Status = storage.ImportAdded
			comers = append(comers, r)
		} else {
			refused = append(refused, r)
		}
	}
	why, err := t.whyRefused(ctx, refused)
	if err != nil {
		return nil, err
	}
	if err := t.insertEmails(ctx, comers); err != nil {
		return nil, err
	}
	kept, err := t.insertPasskeys(ctx, comers)
	if err != nil {
		return nil, err
	}
	for i, r := range batch {
		if outcomes[i].Status != storage.ImportAdded {
			outcomes[i] = why[r.User.ID]
			continue
		}
		for j, p := range r.Passkeys {
			if _, ok := kept[p.ID]; !ok {
				outcomes[i].TakenPasskeys = append(outcomes[i].TakenPasskeys, j)
			}
		}
	}
	return outcomes, nil
}

// insertUsers returns the ids of the users that were added.
func (t *tx) insertUsers(ctx context.Context, batch []storage.UserRecord) (map[uuid.UUID]struct{}, error) {
	added := make(map[uuid.UUID]struct{})
	for chunk := range slices.Chunk(batch, chunkRows) {
		var args []any
		for _, r := range chunk {
			u := r.User
			args = append(args, u.ID, u.Username, u.CanonicalName, u.PasswordHash, u.PasswordVersion, u.Handle,
				u.CreatedAt, u.DisabledAt, u.PasswordByMail, u.PasswordByMailAt, u.PasswordStopped,
				string(u.Attributes.Groups), string(u.Attributes.Claims), u.Language)
		}
		err := addRows(ctx, t, added, `
			INSERT INTO {users} (id, username, canonical_name, password_hash, password_version, handle, created_at, disabled_at,
			                   password_by_mail, password_by_mail_at, password_stopped, group_names, own_claims, language)
			VALUES `+placeholders(len(chunk), 14)+`
			ON CONFLICT DO NOTHING RETURNING id`, args...)
		if err != nil {
			return nil, err
		}
	}
	return added, nil
}

// insertEmails adds the addresses of new users, which have no address yet.
func (t *tx) insertEmails(ctx context.Context, batch []storage.UserRecord) error {
	for chunk := range slices.Chunk(batch, chunkRows) {
		var args []any
		for _, r := range chunk {
			if r.Email != nil {
				args = append(args, r.User.ID, r.Email.Address, storage.FoldAddress(r.Email.Address), r.Email.ConfirmedAt)
			}
		}
		if len(args) == 0 {
			continue
		}
		_, err := t.ExecContext(ctx, `
			INSERT INTO {emails} (user_id, address, folded, confirmed_at)
			VALUES `+placeholders(len(args)/4, 4), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// insertPasskeys returns the ids of the passkeys that were added.
func (t *tx) insertPasskeys(ctx context.Context, batch []storage.UserRecord) (map[uuid.UUID]struct{}, error) {
	var passkeys []storage.Passkey
	for _, r := range batch {
		passkeys = append(passkeys, r.Passkeys...)
	}
	added := make(map[uuid.UUID]struct{})
	for chunk := range slices.Chunk(passkeys, chunkRows) {
		var args []any
		for _, p := range chunk {
			c := p.Credential
			transports, err := json.Marshal(c.Transports)
			if err != nil {
				return nil, err
			}
			args = append(args, p.ID, p.UserID, c.ID, c.PublicKey, c.Algorithm, c.AAGUID, int64(c.SignCount),
				int16(c.Flags), string(transports), p.Name, p.CreatedAt, p.LastUsedAt, c.Attested, p.UsableFrom)
		}
		err := addRows(ctx, t, added, `
			INSERT INTO {passkeys} (id, user_id, credential_id, public_key, algorithm, aaguid, sign_count, flags,
			                      transports, name, created_at, last_used_at, attested, usable_from)
			VALUES `+placeholders(len(chunk), 14)+`
			ON CONFLICT DO NOTHING RETURNING id`, args...)
		if err != nil {
			return nil, err
		}
	}
	return added, nil
}

// whyRefused finds out which unique column each refused user conflicts with: the
// id first, since an existing user also has the same name and handle.
func (t *tx) whyRefused(ctx context.Context, refused []storage.UserRecord) (map[uuid.UUID]storage.UserOutcome, error) {
	why := make(map[uuid.UUID]storage.UserOutcome)
	for chunk := range slices.Chunk(refused, chunkRows) {
		ids, names := make([]any, len(chunk)), make([]any, len(chunk))
		for i, r := range chunk {
			ids[i], names[i] = r.User.ID, r.User.CanonicalName
		}
		in := " IN " + placeholders(1, len(chunk))
		present := make(map[uuid.UUID]struct{})
		if err := addRows(ctx, t, present, `SELECT id FROM {users} WHERE id`+in, ids...); err != nil {
			return nil, err
		}
		taken := make(map[string]struct{})
		if err := addRows(ctx, t, taken, `SELECT canonical_name FROM {users} WHERE canonical_name`+in, names...); err != nil {
			return nil, err
		}
		for _, r := range chunk {
			o := storage.UserOutcome{Status: storage.ImportLeftOut, Problem: storage.ProblemHandleTaken}
			if _, ok := taken[r.User.CanonicalName]; ok {
				o.Problem = storage.ProblemUsernameTaken
			}
			if _, ok := present[r.User.ID]; ok {
				o = storage.UserOutcome{Status: storage.ImportPresent}
			}
			why[r.User.ID] = o
		}
	}
	return why, nil
}

// addRows adds to set the values of the one column that a statement returns.
func addRows[T comparable](ctx context.Context, q engine.Queryer, set map[T]struct{}, statement string, args ...any) error {
	rows, err := q.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var value T
		if err := rows.Scan(&value); err != nil {
			return err
		}
		set[value] = struct{}{}
	}
	return rows.Err()
}

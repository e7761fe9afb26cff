package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// SetAttributes implements storage.UserTx.
func (t *tx) SetAttributes(ctx context.Context, userID uuid.UUID, a storage.Attributes, at time.Time) (bool, error) {
	replaced, err := changed(ctx, t, `
		UPDATE {users} SET group_names = $1, own_claims = $2, attributes_version = attributes_version + 1
		WHERE id = $3 AND attributes_version = $4 AND (group_names <> $1 OR own_claims <> $2) AND deleted_at IS NULL`,
		string(a.Groups), string(a.Claims), userID, a.Version)
	if err != nil || !replaced {
		return false, err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO {attribute_changes} (mark, changed_at) VALUES ($1, $2)`, a.Mark(userID), at)
	return true, err
}

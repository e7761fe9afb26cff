package sqlstore_test

import (
	"context"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
)

// Among 10 000 users the question that each guarded request asks reads no table as a whole.
func TestStandingReadsIndexes(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		d := empty(t)
		store := open(t, d.url, time.Now)
		err := store.InTx(t.Context(), func(tx storage.Tx) error { return add10000Users(t.Context(), tx) })
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			`UPDATE {users} SET realm = 'app', external_key = handle`,
			`INSERT INTO {passkeys} (id, user_id, credential_id, public_key, algorithm, aaguid, sign_count, flags, transports, name, created_at)
			 SELECT id, id, handle, handle, -7, id, 0, 0, '', '', created_at FROM {users}`,
			`INSERT INTO {sessions} (id, user_id, password_version, password_at, full_at, full_passkey_id, created_at, expires_at)
			 SELECT id, id, password_version, created_at, created_at, id, created_at, created_at FROM {users}`,
		} {
			if err := sqlstore.Exec(t.Context(), store, statement); err != nil {
				t.Fatal(err)
			}
		}
		exec(t, d, `ANALYZE`)
		plan, err := sqlstore.ExplainStanding(t.Context(), store, storage.ExternalUser{Realm: "app", Key: "user7-7"}, uuid.New(), epoch)
		if err != nil {
			t.Fatal(err)
		}
		if whole := regexp.MustCompile(`Seq Scan|\bSCAN\b`).FindString(plan); whole != "" {
			t.Errorf("the plan has %q:\n%s", whole, plan)
		}
		for _, index := range []string{"users_by_external_key", "passkeys_by_user"} {
			if !regexp.MustCompile(index).MatchString(plan) {
				t.Errorf("the plan does not use %s:\n%s", index, plan)
			}
		}
	})
}

func add10000Users(ctx context.Context, tx storage.Tx) error {
	const batches = 10_000 / storage.MaxImportBatch
	for batch := range batches {
		if err := addBatch(ctx, tx, batch, 100); err != nil {
			return err
		}
	}
	return nil
}

package sqlstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/rawsql"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
)

// Among many users the kinds of hashes are found by the index, whether all of the hashes
// are old or few.
func TestNextOldHashReadsAnIndexAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		for _, every := range []int{1, 100} {
			t.Run(fmt.Sprintf("one in %d", every), func(t *testing.T) {
				d := empty(t)
				store := open(t, d.url, time.Now)
				err := store.InTx(t.Context(), func(tx storage.Tx) error { return addUsers(t.Context(), tx, every) })
				if err != nil {
					t.Fatal(err)
				}
				statement := `ANALYZE`
				if !d.isSQLite() {
					statement = `VACUUM ANALYZE`
					wantByteOrder(t, d)
				}
				exec(t, d, statement)
				for _, from := range []string{"", "$argon2id$v=19$m=8,t=1,p=1%"} {
					plan, err := sqlstore.ExplainNextOldHash(t.Context(), store, from)
					if err != nil {
						t.Fatal(err)
					}
					if !strings.Contains(plan, "users_by_old_hash") || strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP B-TREE") {
						t.Errorf("from %q:\n%s", from, plan)
					}
				}
			})
		}
	})
}

// addUsers adds users of whom one in so many has an old hash.
func addUsers(ctx context.Context, tx storage.Tx, every int) error {
	for batch := range 20 {
		if err := addBatch(ctx, tx, batch, every); err != nil {
			return err
		}
	}
	return nil
}

// addBatch adds as many users as fit into one import.
func addBatch(ctx context.Context, tx storage.Tx, batch, every int) error {
	var users []storage.UserRecord
	for i := range storage.MaxImportBatch {
		hash := "$argon2id$v=19$m=19456,t=2,p=1$"
		if i%every == 0 {
			hash = "$argon2id$v=19$m=8,t=1,p=1$"
		}
		name := fmt.Sprintf("user%d-%d", batch, i)
		users = append(users, storage.UserRecord{User: storage.User{
			ID: uuid.New(), Username: name, CanonicalName: name, Handle: []byte(name), CreatedAt: epoch, PasswordVersion: 1,
			PasswordHash: hash + name,
		}})
	}
	_, err := tx.ImportUsers(ctx, users)
	return err
}

// wantByteOrder sees that the index is in the order in which kinds are skipped, whatever the
// locale of the database.
func wantByteOrder(t *testing.T, d database) {
	t.Helper()
	db, err := rawsql.Open(d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	index := texts(t, db.DB, `SELECT indexdef FROM pg_indexes WHERE indexname = 'users_by_old_hash'`)
	if len(index) != 1 || !strings.Contains(index[0], `COLLATE "C"`) {
		t.Errorf("the index is %q", index)
	}
}

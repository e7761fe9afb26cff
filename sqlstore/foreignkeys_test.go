package sqlstore_test

import (
	"slices"
	"testing"
)

// Every foreign key has an index that begins with its columns. Without one, deleting a user or a session
// would read the whole table that refers to it. The statement is not in the source, so plans_test.go
// does not see it.
func TestForeignKeysHaveIndexes(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
		d := empty(t)
		open(t, d.url, nil)
		all, bare := foreignKeysOfPostgres, foreignKeysOfPostgres+` AND NOT EXISTS (
			SELECT 1 FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indpred IS NULL AND i.indkey[0] = c.conkey[1])`
		if d.isSQLite() {
			all, bare = foreignKeysOfSQLite, foreignKeysOfSQLite+` AND NOT EXISTS (
				SELECT 1 FROM pragma_index_list(t.name) i, pragma_index_info(i.name) x
				WHERE x.seqno = 0 AND x.name = f."from" AND i.partial = 0)`
		}
		db := d.plain(t)
		if keys := texts(t, db, all); len(keys) < 7 {
			t.Errorf("%d foreign keys are found: %v", len(keys), keys)
		}
		if missing := texts(t, db, bare); !slices.Equal(missing, nil) {
			t.Errorf("without an index: %v", missing)
		}
	})
}

const (
	foreignKeysOfPostgres = `SELECT c.conrelid::regclass::text || ' ' || c.conname FROM pg_constraint c
		WHERE c.contype = 'f' AND c.connamespace = 'stepkey'::regnamespace`
	foreignKeysOfSQLite = `SELECT t.name || ' ' || f."from" FROM sqlite_schema t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'`
)

package sqlstore_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/rawsql"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
)

// durable starts a PostgreSQL that keeps what it has committed, as in production, or one that does not.
func durable(b *testing.B, yes bool) database {
	b.Helper()
	server, err := pgtest.Start(b.Context(), pgtest.Options{Durable: yes})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	url, err := server.CreateDatabase(b.Context(), "bench")
	if err != nil {
		b.Fatal(err)
	}
	return database{url}
}

func openToBench(b *testing.B, d database) *sqlstore.Store {
	b.Helper()
	store, err := storeurl.Open(b.Context(), d.url, sqlstore.Options{Timeout: patience.Long})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	return store
}

// execOn runs statements with the plain names of tables.
func execOn(b *testing.B, d database, statements ...string) {
	b.Helper()
	db, err := rawsql.Open(d.url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(b.Context(), statement); err != nil {
			b.Fatalf("%s: %v", statement, err)
		}
	}
}

// written is how many bytes PostgreSQL has written to its log.
func written(b *testing.B, d database) (n float64) {
	b.Helper()
	db, err := rawsql.Open(d.url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.DB.QueryRowContext(b.Context(), `SELECT pg_current_wal_insert_lsn() - '0/0'`).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkChallengeTable makes and takes challenges while the table is logged, and while it is not, on a
// server with and without fsync. docs/decisions/0021-unlogged-tables.md has figures.
func BenchmarkChallengeTable(b *testing.B) {
	for _, fsync := range []bool{true, false} {
		for _, logged := range []string{"LOGGED", "UNLOGGED"} {
			b.Run(fmt.Sprintf("fsync=%t/%s", fsync, logged), func(b *testing.B) {
				d := durable(b, fsync)
				store := openToBench(b, d)
				execOn(b, d, `ALTER TABLE challenges SET `+logged)
				before := written(b, d)
				b.ResetTimer()
				for i := range b.N {
					key := storage.ChallengeKey{Purpose: "step-up", UserID: randomID(i), SessionID: randomID(i % 1000)}
					binary.BigEndian.PutUint64(key.Digest[:], uint64(i)*0x9e3779b97f4a7c15)
					if err := store.Put(b.Context(), key, make([]byte, 300), time.Minute); err != nil {
						b.Fatal(err)
					}
					if _, err := store.Take(b.Context(), key); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				b.ReportMetric((written(b, d)-before)/float64(b.N), "log-bytes/op")
			})
		}
	}
}

// randomID is the same for the same i, and spread like a UUID of version 4.
func randomID(i int) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, binary.BigEndian.AppendUint64(nil, uint64(i)))
}

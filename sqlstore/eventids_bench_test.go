package sqlstore_test

import (
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/rawsql"
)

const (
	eventsBefore = 200_000
	eventUsers   = 10_000
)

// BenchmarkEventIDs adds events, each with a commit of its own, to 200 000 of 10 000 users, with ids that
// are random (RFC 9562 version 4) and with ids in the order of time (version 7). The metric log-bytes/op is
// what one event adds to the log of the database, from a checkpoint on.
//
//	go test ./sqlstore -run '^$' -bench EventIDs -benchtime 3000x
func BenchmarkEventIDs(b *testing.B) {
	for name, empty := range map[string]func() database{
		"sqlite":   func() database { return database{"sqlite:" + b.TempDir() + "/stepkey.db"} },
		"postgres": func() database { return durable(b, true) }, // others leave images of pages out of the log
	} {
		for order, newID := range map[string]func(i int) uuid.UUID{"random": randomID, "ordered": orderedID} {
			b.Run(name+"/"+order, func(b *testing.B) {
				d := empty()
				openToBench(b, d)
				db, err := rawsql.Open(d.url)
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				db.SetMaxOpenConns(1)
				grown := fillWithEvents(b, d, db, newID)
				i := eventsBefore
				for b.Loop() {
					addEvents(b, db, i, 1, newID)
					i++
				}
				grown()
			})
		}
	}
}

// fillWithEvents makes the events that are there before. The function that it returns reports the size of the
// indexes (of SQLite, of the whole file) and how much the log has grown since.
func fillWithEvents(b *testing.B, d database, db *rawsql.DB, newID func(i int) uuid.UUID) (report func()) {
	b.Helper()
	query := func(text string) (n float64) {
		b.Helper()
		if err := db.DB.QueryRowContext(b.Context(), text).Scan(&n); err != nil {
			b.Fatalf("%s: %v", text, err)
		}
		return n
	}
	do := func(text string) {
		b.Helper()
		if _, err := db.DB.ExecContext(b.Context(), text); err != nil {
			b.Fatalf("%s: %v", text, err)
		}
	}
	path, isSQLite := strings.CutPrefix(d.url, "sqlite:")
	if isSQLite {
		do(`PRAGMA synchronous = OFF`)
		do(`PRAGMA cache_size = -200000`)
	} else {
		do(`SET synchronous_commit = off`) // bytes are counted here, not time
	}
	for i := 0; i < eventsBefore; i += 500 {
		addEvents(b, db, i, 500, newID)
	}
	if isSQLite {
		do(`PRAGMA wal_checkpoint(TRUNCATE)`)
		do(`PRAGMA wal_autocheckpoint = 0`)
		file := query(`SELECT page_count * page_size / 1e6 FROM pragma_page_count, pragma_page_size`)
		return func() {
			info, err := os.Stat(path + "-wal")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Size())/float64(b.N), "log-bytes/op")
			b.ReportMetric(file, "file-MB")
		}
	}
	do(`CHECKPOINT`)
	key, all := query(`SELECT pg_relation_size('events_pkey') / 1e6`), query(`SELECT pg_indexes_size('events') / 1e6`)
	before := written(b, d)
	return func() {
		b.ReportMetric((written(b, d)-before)/float64(b.N), "log-bytes/op")
		b.ReportMetric(key, "key-MB")
		b.ReportMetric(all, "indexes-MB")
	}
}

// addEvents adds events as the service does: at ever later times, each of another user.
func addEvents(b *testing.B, db *rawsql.DB, first, n int, newID func(i int) uuid.UUID) {
	b.Helper()
	const columns = 10
	var args []any
	for i := first; i < first+n; i++ {
		user := randomID(-1 - i*7919%eventUsers)
		args = append(args, newID(i), "passkey.verified", timeOfEvent(i), user, randomID(-1e6-i%20_000), sql.NullString{}, "",
			"Firefox on Linux", "192.0.2.0/24", "phone")
	}
	var rows []string
	for row := range slices.Chunk(args, columns) {
		var places []string
		for range row {
			places = append(places, fmt.Sprintf("$%d", len(rows)*columns+len(places)+1))
		}
		rows = append(rows, `(`+strings.Join(places, `, `)+`)`)
	}
	_, err := db.ExecContext(b.Context(), `INSERT INTO events
		(id, kind, at, user_id, session_id, passkey_id, reason, device, network, passkey_name) VALUES `+strings.Join(rows, `, `), args...)
	if err != nil {
		b.Fatal(err)
	}
}

func timeOfEvent(i int) time.Time { return epoch.Add(time.Duration(i) * 100 * time.Millisecond) }

// orderedID has the time of the event in front, and is a randomID otherwise.
func orderedID(i int) uuid.UUID {
	id, ms := randomID(i), timeOfEvent(i).UnixMilli()
	for at := 5; at >= 0; at-- {
		id[at] = byte(ms)
		ms >>= 8
	}
	id[6] = id[6]&0x0f | 0x70
	return id
}

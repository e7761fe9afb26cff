package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// The rows that every user of a population has.
const (
	passkeysEach = 3
	sessionsEach = 2
	eventsEach   = 20
)

// populationTables are the tables that have rows for each user, in the order of their foreign keys.
var populationTables = []string{"users", "passkeys", "sessions", "events", "login_attempts"}

// spreadOver is how long ago the oldest event of a population happened.
const spreadOver = 300 * 24 * time.Hour

// template is one user as the service wrote it. A population consists of copies of its rows that differ
// in ids, names, random bytes and times, so their columns, encodings and lengths are the service's.
type template struct {
	tables []templateTable
	slots  map[uuid.UUID]int // the numbers of its ids, 0 for that of the user
	device *authenticator.Authenticator
}

// templateTable are the rows of one table, each value as its database's driver reads and writes it.
type templateTable struct {
	name    string
	columns []string
	rows    [][]any
}

// newTemplate makes one user of a service whose database has no other, and returns the user's first device.
func newTemplateUser(ctx context.Context, url string) (*authenticator.Authenticator, error) {
	p := &person{url: url, name: nameOf(0), client: oneConnection()}
	if _, err := p.call(ctx, "", "POST", "/auth/signup", p.credentials()); err != nil {
		return nil, err
	}
	var first *authenticator.Authenticator
	for session := range sessionsEach {
		a, err := p.call(ctx, "", "POST", "/auth/login", fmt.Appendf(nil, `{"username":%q,"password":%q,"refresh":"body"}`, p.name, password))
		if err != nil {
			return nil, err
		}
		if p.login, err = accessToken(a); err != nil {
			return nil, err
		}
		if session > 0 {
			break // the passkeys come from the first one
		}
		for passkey := range passkeysEach {
			p.device = authenticator.New(authenticator.Config{Algorithms: []int64{authenticator.ES256}, CounterStep: 1})
			if err := p.enrol(ctx); err != nil {
				return nil, err
			}
			if passkey > 0 {
				continue
			}
			first = p.device
			step, err := p.stepUp(ctx)
			if err != nil {
				return nil, err
			}
			if p.login, err = accessToken(step.verified); err != nil {
				return nil, err
			}
		}
	}
	p.device = first
	soFar, err := p.events(ctx)
	if err != nil {
		return nil, err
	}
	for range eventsEach - soFar {
		if _, err := p.stepUp(ctx); err != nil {
			return nil, err
		}
	}
	return first, nil
}

// events is how many events the user has.
func (p *person) events(ctx context.Context) (int, error) {
	a, err := p.call(ctx, p.login, "GET", "/account/events", nil)
	if err != nil {
		return 0, err
	}
	var list struct{ Events []json.RawMessage }
	err = json.Unmarshal(a.Body, &list)
	return len(list.Events), err
}

// readTemplate reads the rows of the only user.
func readTemplate(ctx context.Context, db bulk, device *authenticator.Authenticator) (*template, error) {
	t := &template{slots: make(map[uuid.UUID]int), device: device}
	for _, name := range populationTables {
		table, err := db.read(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		t.tables = append(t.tables, table)
		for _, row := range table.rows {
			if id, ok := asUUID(table.value(row, "id")); ok {
				t.slots[id] = len(t.slots)
			}
		}
	}
	for i, want := range []int{1, passkeysEach, sessionsEach, eventsEach} {
		if got := len(t.tables[i].rows); got != want {
			return nil, fmt.Errorf("the template has %d rows in %s, want %d", got, t.tables[i].name, want)
		}
	}
	return t, nil
}

func (t templateTable) value(row []any, column string) any {
	for i, name := range t.columns {
		if name == column {
			return row[i]
		}
	}
	return nil
}

// asUUID reads an id as PostgreSQL's or SQLite's driver has it.
func asUUID(value any) (uuid.UUID, bool) {
	switch value := value.(type) {
	case [16]byte:
		return value, true
	case string:
		id, err := uuid.Parse(value)
		return id, err == nil && len(value) == 36
	default:
		return uuid.UUID{}, false
	}
}

// fill adds users 1 to size to the one of the template. The rows of a user are as far apart as those of
// users who come and go at the same time.
func (t *template) fill(ctx context.Context, db bulk, size int, progress func(string)) error {
	for _, table := range t.tables {
		for number := range table.rows {
			progress(fmt.Sprintf("%s, row %d of %d of each user", table.name, number+1, len(table.rows)))
			values := make([]any, len(table.columns))
			err := db.add(ctx, table, size, func(i int) []any {
				for c := range values {
					values[c] = t.copied(table, number, c, i+1)
				}
				return values
			})
			if err != nil {
				return fmt.Errorf("%s: %w", table.name, err)
			}
		}
	}
	progress("statistics")
	return db.finish(ctx)
}

// copied is what user i has where the template has a value.
func (t *template) copied(table templateTable, number, column, i int) any {
	original := table.rows[number][column]
	if id, ok := asUUID(original); ok {
		slot, own := t.slots[id]
		if !own {
			return original
		}
		if _, text := original.(string); text {
			return idOf(i, slot).String()
		}
		return [16]byte(idOf(i, slot))
	}
	switch name := table.columns[column]; name {
	case "username", "canonical_name":
		return nameOf(i)
	case "handle", "credential_id", "salt", "key":
		return bytesOf(i, name, number, len(original.([]byte)))
	case "at", "created_at":
		if table.name == "sessions" {
			return original // so that they are live
		}
		return earlierBy(original, time.Duration(mix(i, number)%uint64(spreadOver)))
	}
	return original
}

// earlierBy moves a time as PostgreSQL's or SQLite's driver has it.
func earlierBy(at any, by time.Duration) any {
	switch at := at.(type) {
	case time.Time:
		return at.Add(-by).Truncate(time.Microsecond)
	case int64:
		return at - by.Microseconds()
	default:
		return at
	}
}

// nameOf is the name of a user. All have the same length.
func nameOf(i int) string { return fmt.Sprintf("user%08d", i) }

// idOf is a UUID of version 4, as the service draws them.
func idOf(i, slot int) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], mix(i, 2*slot))
	binary.BigEndian.PutUint64(id[8:], mix(i, 2*slot+1))
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// bytesOf are the bytes of user i in a row and column.
func bytesOf(i int, column string, number, length int) []byte {
	b := make([]byte, 0, length+8)
	for word := 0; len(b) < length; word++ {
		b = binary.BigEndian.AppendUint64(b, mix(i, 1<<20+int(column[0])<<12+number<<8+word))
	}
	return b[:length]
}

// mix is SplitMix64 (Steele, Lea and Flood 2014) of two small numbers: the same ones for the same
// population, and spread like random ones.
func mix(i, n int) uint64 {
	x := uint64(i)<<24 ^ uint64(n)
	for range 2 {
		x += 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}

// assert answers a request for a passkey as the first device of user i would. All of them have the key of
// the template's. Members are added to the answer.
func (t *template) assert(url string, options []byte, i int, members map[string]any) ([]byte, error) {
	ids := t.device.CredentialIDs()
	if len(ids) != 1 {
		return nil, errors.New("the device of the template does not have one passkey")
	}
	users, passkeys := t.tables[0], t.tables[1]
	number := -1
	for n, row := range passkeys.rows {
		if string(passkeys.value(row, "credential_id").([]byte)) == string(ids[0]) {
			number = n
		}
	}
	if number < 0 {
		return nil, errors.New("the database does not have the passkey of the template's device")
	}
	id := encoded(bytesOf(i, "credential_id", number, len(ids[0])))
	handle := encoded(bytesOf(i, "handle", 0, len(users.value(users.rows[0], "handle").([]byte))))
	return t.device.GetWith(url, options, authenticator.Hostile{CredentialID: ids[0], Response: func(answer map[string]any) {
		answer["id"], answer["rawId"] = id, id
		response := answer["response"].(map[string]any)
		if _, sent := response["userHandle"]; sent {
			response["userHandle"] = handle
		}
		for name, value := range members {
			answer[name] = value
		}
	}})
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

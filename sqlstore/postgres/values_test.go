package postgres

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/pgtest"
)

func valuesPool(t *testing.T) pool {
	t.Helper()
	connections, err := pgxpool.New(t.Context(), pgtest.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connections.Close)
	return newPool(connections, patience.Long)
}

func TestUUIDs(t *testing.T) {
	id := uuid.New()
	for _, test := range []struct {
		name string
		arg  any
		want uuid.NullUUID
	}{
		{"uuid.UUID", id, uuid.NullUUID{UUID: id, Valid: true}},
		{"*uuid.UUID", &id, uuid.NullUUID{UUID: id, Valid: true}},
		{"nil *uuid.UUID", (*uuid.UUID)(nil), uuid.NullUUID{}},
		{"uuid.NullUUID", uuid.NullUUID{UUID: id, Valid: true}, uuid.NullUUID{UUID: id, Valid: true}},
		{"invalid uuid.NullUUID", uuid.NullUUID{UUID: id}, uuid.NullUUID{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, plain, optional, null := new(string), uuid.Max, &uuid.Max, uuid.NullUUID{UUID: uuid.Max, Valid: true}
			err := valuesPool(t).QueryRowContext(t.Context(),
				`SELECT $1::uuid::text, $1::uuid, $1::uuid, $1::uuid`, test.arg).Scan(&text, &plain, &optional, &null)
			if err != nil {
				t.Fatal(err)
			}
			if plain != test.want.UUID || null != test.want {
				t.Errorf("read %v and %v, want %v", plain, null, test.want)
			}
			if (optional != nil) != test.want.Valid || optional != nil && *optional != id {
				t.Errorf("read %v as a pointer, want %v", optional, test.want)
			}
			if (text != nil) != test.want.Valid || text != nil && *text != id.String() {
				t.Errorf("the server has another value than %v", test.want)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	p := valuesPool(t)
	read := func(value string) (plain time.Time, optional *time.Time, err, optionalErr error) {
		query := `SELECT ` + value + `::timestamptz`
		optional = &time.Time{}
		err = p.QueryRowContext(t.Context(), query).Scan(&plain)
		optionalErr = p.QueryRowContext(t.Context(), query).Scan(&optional)
		return plain, optional, err, optionalErr
	}
	want := time.Date(2030, 5, 17, 9, 30, 0, 123456000, time.UTC)
	plain, optional, err, optionalErr := read(`'2030-05-17 11:30:00.123456+02'`)
	if !plain.Equal(want) || err != nil || optionalErr != nil || !optional.Equal(want) {
		t.Errorf("read %v, %v and %v, %v; want %v", plain, err, optional, optionalErr, want)
	}
	if _, optional, err, optionalErr := read(`NULL`); err == nil || optional != nil || optionalErr != nil {
		t.Errorf("NULL: %v and %v, %v; want an error and nil", err, optional, optionalErr)
	}
	for _, value := range []string{`'infinity'`, `'-infinity'`} {
		if _, _, err, optionalErr := read(value); err == nil || optionalErr == nil {
			t.Errorf("%s: %v and %v, want errors", value, err, optionalErr)
		}
	}
}

package nestjs_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey/internal/nestjs"
	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/storage"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const (
	mira = "00000000-0000-4000-8000-000000000001"
	noor = "00000000-0000-4000-8000-000000000002"
	key1 = "00000000-0000-4000-8000-00000000000a"
	key2 = "00000000-0000-4000-8000-00000000000b"
	key3 = "00000000-0000-4000-8000-00000000000c"
)

const users = `
	CREATE TABLE users (id uuid PRIMARY KEY, username varchar NOT NULL UNIQUE, "passwordHash" varchar NOT NULL,
		"isActive" boolean NOT NULL DEFAULT true, "createdAt" timestamp NOT NULL, "updatedAt" timestamp NOT NULL);
	INSERT INTO users VALUES
		('` + mira + `', 'Mira', '$2b$12$hash of mira', true, '2024-02-02 10:00', '2024-02-02 10:00'),
		('` + noor + `', 'noor', '$2b$12$hash of noor', false, '2024-01-01 10:00', '2024-03-03 10:00');`

func database(t *testing.T, statements ...string) string {
	t.Helper()
	dsn := pgtest.NewDatabase(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), strings.Join(statements, ";")); err != nil {
		t.Fatal(err)
	}
	return dsn
}

func read(t *testing.T, dsn string) []storage.PortableUser {
	t.Helper()
	source, err := nestjs.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var found []storage.PortableUser
	err = source.Users(t.Context(), func(u storage.PortableUser) error {
		found = append(found, u)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := source.Count(t.Context()); err != nil || n != len(found) {
		t.Errorf("Count = %d, %v; want %d", n, err, len(found))
	}
	return found
}

func at(text string) *time.Time {
	moment, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return &moment
}

// expected is noor, who is older and not active, and then mira with these passkeys.
func expected(passkeys ...storage.PortablePasskey) []storage.PortableUser {
	return []storage.PortableUser{
		{
			ID: uuid.MustParse(noor), Username: "noor", PasswordHash: "$2b$12$hash of noor", Handle: []byte(noor),
			CreatedAt: *at("2024-01-01 10:00"), DisabledAt: at("2024-03-03 10:00"),
		},
		{
			ID: uuid.MustParse(mira), Username: "Mira", PasswordHash: "$2b$12$hash of mira", Handle: []byte(mira),
			CreatedAt: *at("2024-02-02 10:00"), Passkeys: passkeys,
		},
	}
}

func wantUsers(t *testing.T, got, want []storage.PortableUser) {
	t.Helper()
	inUTC := cmp.Transformer("UTC", func(moment time.Time) string { return moment.UTC().String() })
	if diff := cmp.Diff(want, got, inUTC); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
}

func TestUsersOfTheOriginal(t *testing.T) {
	dsn := database(t, users, `
		CREATE TABLE passkey_credentials (id uuid PRIMARY KEY, "credentialId" bytea NOT NULL, "publicKey" bytea NOT NULL,
			counter bigint NOT NULL, transports text[], "deviceName" text, "createdAt" timestamp NOT NULL,
			"lastUsedAt" timestamp, "userId" uuid);
		INSERT INTO passkey_credentials VALUES
			('`+key1+`', '\x00ff01', '\xa1', 4294967295, '{internal}', NULL, '2024-02-03 10:00', NULL, '`+mira+`'),
			('`+key2+`', '\x02', '\xa2', 0, '{internal,hybrid}', 'Phone', '2024-02-04 10:00', '2024-02-05 10:00', '`+mira+`'),
			('`+key3+`', '\x03', '\xa3', 0, NULL, NULL, '2024-02-04 10:00', NULL, NULL)`,
		// The server's zone is not the one that the times are in.
		`DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET timezone = ''Asia/Ho_Chi_Minh'''; END $$`)
	wantUsers(t, read(t, dsn), expected(
		// The one in use comes first. Who has too many passkeys keeps the first ones.
		storage.PortablePasskey{
			ID: uuid.MustParse(key2), CredentialID: []byte{2}, PublicKey: []byte{0xa2}, Name: "Phone",
			Transports: []string{"internal", "hybrid"}, CreatedAt: *at("2024-02-04 10:00"), LastUsedAt: at("2024-02-05 10:00"),
		},
		storage.PortablePasskey{
			ID: uuid.MustParse(key1), CredentialID: []byte{0, 0xff, 1}, PublicKey: []byte{0xa1}, SignCount: 1<<32 - 1,
			CreatedAt: *at("2024-02-03 10:00"),
		},
	))
}

func TestUsersOfForks(t *testing.T) {
	dsn := database(t, users, `
		ALTER TABLE users RENAME "passwordHash" TO password;
		CREATE TABLE passkey_credentials (id uuid PRIMARY KEY, "credentialID" varchar, "publicKey" text,
			counter integer, transports text, "lastUsed" timestamptz, "userId" uuid);
		INSERT INTO passkey_credentials VALUES
			('`+key1+`', 'AP8B', '__8=', 7, 'usb,nfc', '2024-02-05 10:00Z', '`+mira+`'),
			('`+key2+`', 'not base64url!', '', NULL, '', NULL, '`+mira+`')`)
	wantUsers(t, read(t, dsn), expected(
		storage.PortablePasskey{
			ID: uuid.MustParse(key1), CredentialID: []byte{0, 0xff, 1}, PublicKey: []byte{0xff, 0xff}, SignCount: 7,
			Transports: []string{"usb", "nfc"}, LastUsedAt: at("2024-02-05 10:00"),
		},
		storage.PortablePasskey{ID: uuid.MustParse(key2), PublicKey: []byte{}, SignCount: -1},
	))
}

func TestUsersBeforePasskeys(t *testing.T) {
	wantUsers(t, read(t, database(t, users)), expected())
}

// Stepkey's own tables come first where the role is called like their schema.
func TestUsersBehindAnotherTableUsers(t *testing.T) {
	dsn := database(t, users, `CREATE SCHEMA postgres; CREATE TABLE postgres.users (id uuid, username text, password_hash text)`)
	wantUsers(t, read(t, dsn), expected())
}

func TestWhatIsNotTheOriginal(t *testing.T) {
	for want, statements := range map[string]string{
		"no users of the original":         `CREATE TABLE users (id integer, username text, "passwordHash" text)`,
		"is not the original's: it needs":  users + `CREATE TABLE passkey_credentials (id uuid, "credentialId" bytea)`,
		"is not the original's: it needs ": users + `CREATE TABLE passkey_credentials (id integer, "credentialId" bytea, "publicKey" bytea, counter bigint, "userId" uuid)`,
	} {
		if _, err := nestjs.Open(t.Context(), database(t, statements)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open: %v, want it to say %q", err, want)
		}
	}
}

func TestErrorsEndTheReading(t *testing.T) {
	source, err := nestjs.Open(t.Context(), database(t, users))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	enough, n := errors.New("enough"), 0
	err = source.Users(t.Context(), func(storage.PortableUser) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("Users called back %d times and returned %v, want 1 and %v", n, err, enough)
	}
}

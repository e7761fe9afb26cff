package main

import (
	"bytes"
	"io"
	"os"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// BenchmarkImport takes over 100 000 users of whom every second has a passkey, first
// for the first time and then again:
//
//	go test ./cmd/stepkey -run '^$' -bench Import -benchtime 1x
func BenchmarkImport(b *testing.B) {
	const users = 100_000
	o := newOriginal(b, "http://localhost:3000")
	id := o.signUp("model", "password of model", bcrypt.MinCost)
	o.enrol(id, authenticator.Config{})
	o.exec(`INSERT INTO users (username, "passwordHash", "createdAt")
		SELECT 'user' || n, (SELECT "passwordHash" FROM users), now() - n * interval '1 minute'
		FROM generate_series(2, $1::int) n`, users)
	o.exec(`INSERT INTO passkey_credentials ("credentialId", "publicKey", counter, transports, "userId")
		SELECT sha256(u.id::text::bytea), p."publicKey", 0, '{internal}', u.id
		FROM users u, passkey_credentials p WHERE right(u.username, 1) IN ('0', '2', '4', '6', '8')`)
	for _, target := range []string{"sqlite", "postgres"} {
		for _, round := range []string{"first", "again"} {
			b.Run(target+"/"+round, func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					b.Chdir(b.TempDir())
					os.Unsetenv("DATABASE_URL")
					if target == "postgres" {
						b.Setenv("DATABASE_URL", pgtest.NewDatabase(b))
					}
					if round == "again" {
						importOnce(b, o)
					}
					b.StartTimer()
					importOnce(b, o)
				}
				b.ReportMetric(float64(users*b.N)/b.Elapsed().Seconds(), "users/s")
			})
		}
	}
}

func importOnce(b *testing.B, o *original) {
	b.Helper()
	var stderr bytes.Buffer
	if code := run(b.Context(), []string{"import", "nestjs", "--from", o.dsn, "--yes"}, io.Discard, &stderr); code != 0 {
		b.Fatalf("import: %d %s", code, stderr.String())
	}
}

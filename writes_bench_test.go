package stepkey_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// BenchmarkWrites counts what a use-case writes to PostgreSQL: bytes of its log, and transactions that
// change rows. Those that change unlogged tables alone are among the latter and do not wait for the disk.
// docs/scaling.md has figures.
//
//	go test -run '^$' -bench Writes -benchtime 500x .
func BenchmarkWrites(b *testing.B) {
	url := migrated(b)
	f := fixtureOn(b, url)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(b.Context()) })
	written := func() (bytes, transactions float64) {
		b.Helper()
		err := conn.QueryRow(b.Context(),
			`SELECT pg_current_wal_insert_lsn() - '0/0', pg_snapshot_xmax(pg_current_snapshot())::text::float`).Scan(&bytes, &transactions)
		if err != nil {
			b.Fatal(err)
		}
		return bytes, transactions
	}
	_, device := f.enrolled("mira", authenticator.Config{})
	logIn := func(name string, devices ...string) (stepkey.Grant, error) {
		return f.service.LogIn(b.Context(), stepkey.LogInRequest{
			Username: name, Password: password, Devices: devices, Refresh: stepkey.RefreshBody,
		})
	}
	var people []string // many, so that nobody has so many sessions that the oldest ends
	devices := make(map[string]string)
	for i := range 20 {
		name := fmt.Sprintf("person%d", i)
		f.signUp(name)
		grant, err := logIn(name)
		if err != nil {
			b.Fatal(err)
		}
		people, devices[name] = append(people, name), grant.DeviceToken
	}
	measure := func(name string, do func() error) {
		b.Run(name, func(b *testing.B) {
			bytes, transactions := written()
			for b.Loop() {
				f.clock.Advance(2 * time.Minute) // no try meets a limit
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
			after, last := written()
			b.ReportMetric((after-bytes)/float64(b.N), "log-bytes/op")
			b.ReportMetric((last-transactions)/float64(b.N), "writing-transactions/op")
		})
	}
	full, err := f.finishLogIn(f.got(device, f.logInOptions()))
	if err != nil {
		b.Fatal(err)
	}
	measure("step-up", func() error {
		claims := full.Caller()
		options, err := f.service.BeginStepUp(b.Context(), claims, nil)
		if err != nil {
			return err
		}
		full, err = f.service.FinishStepUp(b.Context(), claims, f.got(device, f.marshal(options)))
		return err
	})
	session, err := logIn("person0") // without a passkey, so that it need not step up
	if err != nil {
		b.Fatal(err)
	}
	measure("refresh", func() (err error) {
		session, err = f.service.Refresh(b.Context(), session.RefreshToken)
		return err
	})
	logins := 0
	measure("login", func() error {
		logins++
		name := people[logins%len(people)]
		return second(logIn(name, devices[name]))
	})
	measure("sign-in with a passkey alone", func() error { return second(f.finishLogIn(f.got(device, f.logInOptions()))) })
}

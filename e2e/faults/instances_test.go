package faults_test

import (
	"net"
	"net/url"
	"testing"
)

// startTwo runs two instances on one database, with one secret and one origin.
func startTwo(t testing.TB, dsn string, settings ...string) (a, b *server) {
	t.Helper()
	settings = append(settings, "DATABASE_URL="+dsn, "STEPKEY_SECRET="+newSecret())
	a = start(t, settings...)
	b = start(t, append(settings, "RP_ORIGIN="+a.url)...)
	return a, b
}

// asRole is the address for another user of the database.
func asRole(t testing.TB, dsn, role string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	return u.String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

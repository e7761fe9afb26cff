package main

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/stepkey/stepkey/internal/secret"
)

// defaults are the settings as they are when nothing is set.
func defaults(t *testing.T) settings {
	t.Helper()
	atHome(t)
	for _, setting := range settingsOf(reflect.TypeFor[settings]()) {
		unset(t, setting.name)
	}
	var s settings
	parser, err := kong.New(&s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestIgnoredSettings(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	jwt := func(s *settings) { s.JWTSecret = sharedSecret }
	for _, test := range []struct {
		name   string
		change func(*settings)
		want   []string
	}{
		{"nothing", func(*settings) {}, nil},
		{"everything that is in use", func(s *settings) {
			jwt(s)
			s.JWTSecretPrevious = []secret.Text{"old " + sharedSecret}
			s.DBHost, s.DBPort, s.DBUser, s.DBPassword, s.DBName = "db", 5433, "u", "p", "n"
			s.RedisURL, s.RedisTimeout, s.AttackFailures = "redis://localhost", time.Second, 100
		}, nil},
		{"moving away from a secret", func(s *settings) {
			jwt(s)
			s.TokenAlgorithm, s.JWTSecretUntil, s.KeyLifetime = "ES256", now.Add(time.Minute), time.Hour
		}, nil},
		{"previous secret alone", func(s *settings) { s.JWTSecretPrevious = []secret.Text{sharedSecret} }, []string{"JWT_SECRET_PREVIOUS"}},
		{"previous secret that is the current one", func(s *settings) { jwt(s); s.JWTSecretPrevious = []secret.Text{"x", sharedSecret} }, []string{"JWT_SECRET_PREVIOUS"}},
		{"end of no secret", func(s *settings) { s.JWTSecretUntil = now }, []string{"STEPKEY_JWT_SECRET_UNTIL"}},
		{"end of a secret that signs", func(s *settings) { jwt(s); s.JWTSecretUntil = now.Add(time.Hour) }, []string{"STEPKEY_JWT_SECRET_UNTIL"}},
		{"end of a secret that signs, in so many words", func(s *settings) {
			jwt(s)
			s.TokenAlgorithm, s.JWTSecretUntil = "HS256", now.Add(time.Hour)
		}, []string{"STEPKEY_JWT_SECRET_UNTIL"}},
		{"end that has passed", func(s *settings) { jwt(s); s.TokenAlgorithm, s.JWTSecretUntil = "EdDSA", now.Add(-time.Second) }, []string{"JWT_SECRET"}},
		{"lifetime of no key", func(s *settings) { jwt(s); s.KeyLifetime = time.Hour }, []string{"STEPKEY_KEY_LIFETIME"}},
		{"parts of a database", func(s *settings) { s.DBPort, s.DBUser, s.DBPassword, s.DBName = 5433, "u", "p", "n" }, []string{"DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"}},
		{"parts beside a URL", func(s *settings) { s.DatabaseURL, s.DBUser = "sqlite:x.db", "u" }, []string{"DB_USER"}},
		{"timeout of no Redis", func(s *settings) { s.RedisTimeout = time.Second }, []string{"STEPKEY_REDIS_TIMEOUT"}},
		{"threshold without limits", func(s *settings) { s.Limits, s.AttackFailures = "off", 100 }, []string{"STEPKEY_ATTACK_FAILURES"}},
	} {
		s := defaults(t)
		test.change(&s)
		var got []string
		for _, setting := range s.ignored(now) {
			got = append(got, setting.name)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// Ignored settings are named at the start, without their values.
func TestIgnoredSettingsAreNamed(t *testing.T) {
	atHome(t)
	t.Setenv("PORT", freePort(t))
	t.Setenv("DB_PASSWORD", "hunter2")
	t.Setenv("DB_NAME", "users")
	said := start(t).stderr.String()
	for _, name := range []string{"DB_PASSWORD", "DB_NAME"} {
		if !strings.Contains(said, name+" has no effect without DB_HOST") {
			t.Errorf("the start does not name %s: %s", name, said)
		}
	}
	if strings.Contains(said, "hunter2") {
		t.Errorf("the start says a secret: %s", said)
	}
}

func TestReadableDatabaseFilesAreNamed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	atHome(t)
	t.Setenv("PORT", freePort(t))
	s := start(t)
	for _, file := range []string{"stepkey.db", "stepkey.db-wal", "stepkey.db-shm", "secret"} {
		info, err := os.Stat(filepath.Join("data", file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("new %s: %v, %v", file, info, err)
		}
	}
	if strings.Contains(s.stderr.String(), "accessible") {
		t.Errorf("new files are reported: %s", s.stderr.String())
	}
	s.stop()
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o660: false, 0o644: true, 0o602: true} {
		if err := os.Chmod("data/stepkey.db", mode); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PORT", freePort(t))
		s := start(t)
		said := s.stderr.String()
		s.stop()
		// SQLite gives its other files the mode of the first.
		for _, file := range []string{"data/stepkey.db", "data/stepkey.db-wal", "data/stepkey.db-shm"} {
			if got := strings.Contains(said, "run chmod o-rwx "+file+"\""); got != want {
				t.Errorf("mode %o: %s named %v, want %v: %s", mode, file, got, want, said)
			}
		}
	}
}

package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/sqlstore"
)

// Two generated secrets.
const (
	rootSecret   = "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw="
	sharedSecret = "qQyMBDKC9BFEa3hiMDyjLprRfRyl98MQFPNDcIYylg8="
)

func TestUnsafeSettingsStopTheStart(t *testing.T) {
	for _, test := range []struct {
		name string
		env  map[string]string
		says []string
	}{
		{"RP_ID of another host", map[string]string{"RP_ID": "example.com"}, []string{"RP_ID", "set RP_ID to localhost"}},
		{"RP_ID that is an address", map[string]string{"RP_ID": "127.0.0.1"}, []string{"IP address", "use localhost"}},
		{"plain http", map[string]string{"RP_ORIGIN": "http://app.example.com"}, []string{"plain http", "use https://app.example.com"}},
		{"one of several origins", map[string]string{"RP_ORIGIN": "http://localhost:3000, http://app.example.com"}, []string{"http://app.example.com is plain http"}},
		{"app before every page", map[string]string{"RP_ORIGIN": "android:apk-key-hash:" + strings.Repeat("A", 43) + ",https://app.example.com"}, []string{"put the origin of a page first"}},
		{"pages of every origin", map[string]string{"STEPKEY_CORS_ORIGINS": "*"}, []string{"STEPKEY_CORS_ORIGINS", `"*"`, "write it like https://app.example.com"}},
		{"return to anywhere", map[string]string{"STEPKEY_RETURN_ORIGINS": "https://*.example.com"}, []string{"STEPKEY_RETURN_ORIGINS"}},
		{"return to a path", map[string]string{"STEPKEY_RETURN_ORIGINS": "https://app.example.com/home"}, []string{"STEPKEY_RETURN_ORIGINS", "use https://app.example.com"}},
		{"return to an app", map[string]string{"RP_ORIGIN": "https://app.example.com", "RP_ID": "example.com", "STEPKEY_APP_ORIGINS": "https://example.com", "STEPKEY_RETURN_ORIGINS": "https://example.com"}, []string{"STEPKEY_RETURN_ORIGINS has https://example.com"}},
		{"pages of no origin", map[string]string{"STEPKEY_CORS_ORIGINS": "https://app.example.com, null"}, []string{"STEPKEY_CORS_ORIGINS", `"null"`, "write it like"}},
		{"two origins that are written wrongly", map[string]string{"STEPKEY_CORS_ORIGINS": "https://app.example.com/, http://shop.example.com"}, []string{"use https://app.example.com", "use https://shop.example.com"}},
		{"app origin elsewhere", map[string]string{"RP_ORIGIN": "https://app.example.com", "STEPKEY_APP_ORIGINS": "https://app.example.net"}, []string{"STEPKEY_APP_ORIGINS has https://app.example.net", "an iOS app uses https://app.example.com"}},
		{"app origin that may read answers", map[string]string{"RP_ORIGIN": "https://app.example.com", "RP_ID": "example.com", "STEPKEY_APP_ORIGINS": "https://example.com", "STEPKEY_CORS_ORIGINS": "https://x.example.com, https://example.com"}, []string{"STEPKEY_CORS_ORIGINS has https://example.com"}},
		{"related origin that is not", map[string]string{"RP_ORIGIN": "https://app.example.com", "STEPKEY_RELATED_ORIGINS": "https://app.example.net, https://x.app.example.com"}, []string{"STEPKEY_RELATED_ORIGINS has https://x.app.example.com", "list it in RP_ORIGIN"}},
		{"weak JWT_SECRET with https", map[string]string{"RP_ORIGIN": "https://app.example.com", "JWT_SECRET": "thel@stFlyD0g"}, []string{"JWT_SECRET has 13 bytes", "openssl rand -base64 32"}},
		{"short STEPKEY_SECRET", map[string]string{"STEPKEY_SECRET": "c2hvcnQ="}, []string{"STEPKEY_SECRET", "openssl rand -base64 32"}},
		{"short introspection secret", map[string]string{"STEPKEY_INTROSPECTION_SECRET": "hunter2"}, []string{"has 7 bytes"}},
		{"STEPKEY_SECRET of zeros", map[string]string{"STEPKEY_SECRET": strings.Repeat("A", 43) + "="}, []string{"STEPKEY_SECRET can be guessed", "openssl rand -base64 32"}},
		{"JWT_SECRET of one letter", map[string]string{"JWT_SECRET": strings.Repeat("s", 32)}, []string{"JWT_SECRET", "can be guessed", "openssl rand -base64 32"}},
		{"previous secret that is a pattern", map[string]string{"JWT_SECRET": sharedSecret, "JWT_SECRET_PREVIOUS": "change-me-change-me-change-me-change-me"}, []string{"JWT_SECRET_PREVIOUS", "can be guessed"}},
		{"introspection secret of one letter", map[string]string{"STEPKEY_INTROSPECTION_SECRET": strings.Repeat("i", 40)}, []string{"STEPKEY_INTROSPECTION_SECRET can be guessed", "openssl rand -base64 32"}},
		{"root as JWT_SECRET", map[string]string{"STEPKEY_SECRET": rootSecret, "JWT_SECRET": rootSecret}, []string{"STEPKEY_SECRET is the same as JWT_SECRET"}},
		{"root as introspection secret", map[string]string{"STEPKEY_SECRET": rootSecret, "STEPKEY_INTROSPECTION_SECRET": strings.TrimRight(rootSecret, "=")}, []string{"STEPKEY_SECRET is the same as STEPKEY_INTROSPECTION_SECRET"}},
		{"introspection secret as JWT_SECRET", map[string]string{"STEPKEY_INTROSPECTION_SECRET": sharedSecret, "JWT_SECRET": sharedSecret}, []string{"STEPKEY_INTROSPECTION_SECRET is the same as JWT_SECRET"}},
		{"introspection secret as a previous one", map[string]string{"STEPKEY_INTROSPECTION_SECRET": sharedSecret, "JWT_SECRET": "new " + sharedSecret, "JWT_SECRET_PREVIOUS": sharedSecret}, []string{"STEPKEY_INTROSPECTION_SECRET is the same as JWT_SECRET_PREVIOUS"}},
		{"database password as JWT_SECRET", map[string]string{"DATABASE_URL": "postgres://u:hunter2hunter2@db.example.com/x", "JWT_SECRET": "hunter2hunter2"}, []string{"JWT_SECRET is the same as the password in DATABASE_URL"}},
		{"mail password as JWT_SECRET", map[string]string{"SMTP_URL": "smtp://u:hunter2hunter2@mail.example.com", "STEPKEY_MAIL_FROM": "a@example.com", "JWT_SECRET": "hunter2hunter2"}, []string{"JWT_SECRET is the same as the password in SMTP_URL"}},
		{"Redis password as JWT_SECRET", map[string]string{"REDIS_URL": "redis://:hunter2hunter2@127.0.0.1:1", "JWT_SECRET": "hunter2hunter2"}, []string{"JWT_SECRET is the same as the password in REDIS_URL"}},
		{"password of DB_HOST as JWT_SECRET", map[string]string{"DB_HOST": "127.0.0.1", "DB_PASSWORD": "hunter2hunter2", "JWT_SECRET": "hunter2hunter2"}, []string{"JWT_SECRET is the same as DB_PASSWORD"}},
		{"reserved name that is none", map[string]string{"STEPKEY_RESERVED_NAMES": "default, two words"}, []string{`STEPKEY_RESERVED_NAMES has "two words"`}},
		{"reserved names and none", map[string]string{"STEPKEY_RESERVED_NAMES": "none,acme"}, []string{"STEPKEY_RESERVED_NAMES has both none and"}},
		{"language that is none", map[string]string{"STEPKEY_LANGUAGE": "german"}, []string{`STEPKEY_LANGUAGE is "german"`, "none of en, de"}},
		{"no language files", map[string]string{"STEPKEY_MESSAGES": "nowhere"}, []string{"STEPKEY_MESSAGES", "fr.json", "nowhere"}},
		{"attack that is none", map[string]string{"STEPKEY_ATTACK_FAILURES": "0"}, []string{"STEPKEY_ATTACK_FAILURES is 0", "1 or more"}},
		{"passwords of no length", map[string]string{"STEPKEY_MIN_PASSWORD_LENGTH": "0"}, []string{"STEPKEY_MIN_PASSWORD_LENGTH is 0", "between 8 and 64"}},
		{"fewer than no hashes", map[string]string{"STEPKEY_HASH_SLOTS": "-1"}, []string{"STEPKEY_HASH_SLOTS is -1", "1 or more"}},
		{"fewer than no connections", map[string]string{"STEPKEY_MAX_CONNECTIONS": "-5"}, []string{"STEPKEY_MAX_CONNECTIONS is -5", "1 or more"}},
		{"no wait after recovery", map[string]string{"STEPKEY_RECOVERY_COOL_OFF": "0s"}, []string{"STEPKEY_RECOVERY_COOL_OFF is 0s", "such as 24h"}},
		{"shutdown in the past", map[string]string{"STEPKEY_SHUTDOWN_DELAY": "-1s"}, []string{"STEPKEY_SHUTDOWN_DELAY is -1s", "such as 10s"}},
		{"no time for the database", map[string]string{"STEPKEY_DB_TIMEOUT": "0s"}, []string{"STEPKEY_DB_TIMEOUT", "between"}},
		{"no end of waiting for Redis", map[string]string{"STEPKEY_REDIS_TIMEOUT": "1h"}, []string{"STEPKEY_REDIS_TIMEOUT", "between"}},
		{"negative time for a request", map[string]string{"STEPKEY_REQUEST_TIMEOUT": "-5s"}, []string{"STEPKEY_REQUEST_TIMEOUT", "between"}},
		{"time that is none", map[string]string{"STEPKEY_HASH_WAIT": "soon"}, []string{"hash-wait"}},
		{"algorithm that is none", map[string]string{"STEPKEY_TOKEN_ALGORITHM": "none"}, []string{"HS256"}},
		{"shared secret without an end", map[string]string{"JWT_SECRET": sharedSecret, "STEPKEY_TOKEN_ALGORITHM": "ES256"}, []string{"STEPKEY_JWT_SECRET_UNTIL"}},
		{"keys that live too short", map[string]string{"STEPKEY_KEY_LIFETIME": "1m"}, []string{"STEPKEY_KEY_LIFETIME"}},
		{"two databases", map[string]string{"DATABASE_URL": "sqlite:x.db", "DB_HOST": "localhost"}, []string{"both DATABASE_URL and DB_HOST"}},
		{"unknown database", map[string]string{"DATABASE_URL": "mysql://root:hunter2@localhost"}, []string{"neither postgres://"}},
		{"database that is not there", map[string]string{"DATABASE_URL": "postgres://stepkey:hunter2@127.0.0.1:1/stepkey"}, []string{"cannot use PostgreSQL"}},
		{"attestation roots that are not there", map[string]string{"STEPKEY_ATTESTATION_ROOTS": "roots.pem"}, []string{"STEPKEY_ATTESTATION_ROOTS cannot be read"}},
		{"attestation roots without certificates", map[string]string{"STEPKEY_ATTESTATION_ROOTS": os.DevNull}, []string{"no certificate in", "in PEM"}},
		{"every proxy", map[string]string{"STEPKEY_TRUSTED_PROXIES": "10.0.0.0/8, 0.0.0.0/0"}, []string{"STEPKEY_TRUSTED_PROXIES", "0.0.0.0/0", "your own proxies only"}},
		{"proxy by name", map[string]string{"STEPKEY_TRUSTED_PROXIES": "proxy.example.com"}, []string{`STEPKEY_TRUSTED_PROXIES has "proxy.example.com"`, "10.0.0.0/8"}},
		{"unknown header", map[string]string{"STEPKEY_TRUSTED_PROXIES": "::1", "STEPKEY_CLIENT_IP_HEADER": "X-Client"}, []string{"STEPKEY_CLIENT_IP_HEADER", "X-Forwarded-For"}},
		{"header of nobody", map[string]string{"STEPKEY_CLIENT_IP_HEADER": "Forwarded"}, []string{"STEPKEY_CLIENT_IP_HEADER", "list the addresses of your proxies"}},
		{"breaches elsewhere", map[string]string{"STEPKEY_BREACHED_PASSWORDS": "http://mirror.example.com"}, []string{"STEPKEY_BREACHED_PASSWORDS", "use https"}},
		{"breaches nowhere", map[string]string{"STEPKEY_BREACHED_PASSWORDS": "yes"}, []string{"STEPKEY_BREACHED_PASSWORDS is not off, on or"}},
		{"short passwords", map[string]string{"STEPKEY_MIN_PASSWORD_LENGTH": "4"}, []string{"STEPKEY_MIN_PASSWORD_LENGTH is 4", "between 8 and 64"}},
		{"no limits on a host", map[string]string{"RP_ORIGIN": "https://app.example.com", "STEPKEY_LIMITS": "off"}, []string{"STEPKEY_LIMITS=off is set", "leave it out"}},
		{"Redis that is none", map[string]string{"REDIS_URL": "http://:hunter2@localhost"}, []string{"REDIS_URL is not a Redis URL", "redis://"}},
		{"Redis that is not there", map[string]string{"REDIS_URL": "redis://:hunter2@127.0.0.1:1"}, []string{"cannot use the Redis of REDIS_URL"}},
		{"mail server without a sender", map[string]string{"SMTP_URL": "smtp://localhost:1025"}, []string{"set STEPKEY_MAIL_FROM"}},
		{"sender without a mail server", map[string]string{"STEPKEY_MAIL_FROM": "no-reply@example.com"}, []string{"set SMTP_URL"}},
		{"mail server that is none", map[string]string{"SMTP_URL": "mail.example.com:hunter2", "STEPKEY_MAIL_FROM": "no-reply@example.com"}, []string{"SMTP_URL", "smtp://user:password@"}},
		{"mail password for everybody to read", map[string]string{"SMTP_URL": "smtp://u:hunter2@mail.example.com?tls=off", "STEPKEY_MAIL_FROM": "no-reply@example.com"}, []string{"remove one of the two"}},
		{"sender that is none", map[string]string{"SMTP_URL": "smtp://localhost", "STEPKEY_MAIL_FROM": "Stepkey"}, []string{"STEPKEY_MAIL_FROM", "no-reply@example.com"}},
		{"links over http", map[string]string{"STEPKEY_PUBLIC_URL": "http://app.example.com"}, []string{"STEPKEY_PUBLIC_URL", "plain http"}},
		{"PORT that is no number", map[string]string{"PORT": "http"}, []string{"PORT"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			atHome(t)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			wantRefused(t, test.says...)
		})
	}
}

// wantRefused starts the service and expects that it does not start, and says why.
func wantRefused(t *testing.T, says ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience.Long)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"serve"}, &stdout, &stderr)
	if code == 0 || stdout.Len() > 0 {
		t.Fatalf("it started: %d %s", code, stdout.String())
	}
	for _, part := range says {
		if !strings.Contains(stderr.String(), part) {
			t.Errorf("it says %q, want %q in it", stderr.String(), part)
		}
	}
	for _, secret := range []string{"hunter2", "thel@st"} {
		if strings.Contains(stderr.String(), secret) {
			t.Errorf("it says a secret: %q", stderr.String())
		}
	}
}

func TestWhereItListens(t *testing.T) {
	for _, test := range []struct {
		settings settings
		want     string
	}{
		{settings{Port: 3000}, "localhost:3000"},
		{settings{Port: 3000, RPOrigin: []string{"http://localhost:3000", "http://app.localhost:3000"}}, "localhost:3000"},
		{settings{Port: 3000, RPOrigin: []string{"http://localhost:3000", "https://app.example.com"}}, ":3000"},
		{settings{Port: 3000, AppOrigins: []string{" android:apk-key-hash:" + strings.Repeat("A", 43)}}, ":3000"},
		{settings{Port: 3000, Host: "0.0.0.0"}, "0.0.0.0:3000"},
	} {
		if got := test.settings.address(); got != test.want {
			t.Errorf("%+v: %s, want %s", test.settings, got, test.want)
		}
	}
}

// compose passes settings on that are not set as empty ones.
func TestEmptySettingIsNone(t *testing.T) {
	atHome(t)
	for _, setting := range settingsOf(reflect.TypeFor[settings]()) {
		t.Setenv(setting.name, "")
	}
	wantCommand(t, 0, "current", "key", "list")
	if _, err := os.Stat("data/stepkey.db"); err != nil {
		t.Errorf("the data folder is not the default: %v", err)
	}
	t.Setenv("PORT", freePort(t))
	start(t)
}

// A misspelt setting is named at the start, whether the environment or .env has it.
func TestUnknownSettingsAreNamed(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	t.Setenv("STEPKEY_TRUSTED_PROXY", "10.0.0.0/8")
	t.Setenv("STEPKEY_IMPORT_FROM", "") // of another command
	unset(t, "STEPKEY_SECRETS")         // restored when the test ends: run changes the environment
	if err := os.WriteFile(".env", []byte("STEPKEY_SECRETS=hunter2\nSTEPKEY_LOG_FORMAT=text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unset(t, "STEPKEY_LOG_FORMAT")
	said := start(t).stderr.String()
	for _, name := range []string{"STEPKEY_TRUSTED_PROXY", "STEPKEY_SECRETS"} {
		if !strings.Contains(said, name+" is not a setting") {
			t.Errorf("the start does not name %s: %s", name, said)
		}
	}
	if strings.Count(said, "is not a setting") != 2 || strings.Contains(said, "hunter2") {
		t.Errorf("the start says %s", said)
	}
}

// An empty variable does not hide what .env says.
func TestEmptyVariableLeavesTheFile(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", "")
	if err := os.WriteFile(".env", []byte("STEPKEY_LIMITS=\nPORT="+port+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t)
	response, err := http.Get("http://localhost:" + port + "/livez")
	if err != nil {
		t.Fatalf("on the port of .env: %v", err)
	}
	response.Body.Close()
}

func TestHelpNamesEverySetting(t *testing.T) {
	atHome(t)
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"serve", "--help"}, &stdout, &stderr); code != 0 {
		t.Fatalf("%d: %s", code, stderr.String())
	}
	for _, setting := range settingsOf(reflect.TypeFor[settings]()) {
		if !strings.Contains(stdout.String(), "$"+setting.name) {
			t.Errorf("serve --help does not name %s", setting.name)
		}
	}
}

func TestReservedNamesSetting(t *testing.T) {
	standard := stepkey.DefaultReservedNames()
	for _, test := range []struct{ set, want []string }{
		{nil, []string{}},
		{[]string{"none"}, []string{}},
		{[]string{"default"}, standard},
		{[]string{"default", " acme"}, append(standard, "acme")},
		{[]string{"acme", "x"}, []string{"acme", "x"}},
	} {
		if got, err := (settings{ReservedNames: test.set}).reservedNames(); err != nil || got == nil || !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, %v; want %q", test.set, got, err, test.want)
		}
	}
}

func TestKeepEvents(t *testing.T) {
	for days, want := range map[int]time.Duration{0: -1, 1: 24 * time.Hour, 365: sqlstore.KeepEvents} {
		if got, err := (settings{KeepEvents: days}).keepEvents(); err != nil || got != want {
			t.Errorf("%d days: %s, %v; want %s", days, got, err, want)
		}
	}
	for _, days := range []int{-1, maxKeepEvents + 1} {
		if _, err := (settings{KeepEvents: days}).keepEvents(); err == nil || !strings.Contains(err.Error(), "STEPKEY_KEEP_EVENTS") {
			t.Errorf("%d days: %v, want it to be refused", days, err)
		}
	}
}

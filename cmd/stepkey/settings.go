package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/httpapi"
	"github.com/stepkey/stepkey/internal/logbuffer"
	"github.com/stepkey/stepkey/internal/secret"
)

// settings are all settings of the service. The first group has the original's
// names.
type settings struct {
	Port     int      `env:"PORT" default:"3000" help:"Port to listen on."`
	RPOrigin []string `name:"rp-origin" env:"RP_ORIGIN" sep:"," help:"Origins of the pages and, as android:apk-key-hash:…, of the apps that use passkeys, separated by commas. The first is the main one and must be a page's. Default: http://localhost:PORT."`
	RPID     string   `name:"rp-id" env:"RP_ID" help:"Domain that passkeys belong to. Default: the host of the first origin."`
	RPName   string   `name:"rp-name" env:"RP_NAME" default:"Stepkey" help:"Name of the service, on the pages, on devices and in mails."`

	JWTSecret secret.Text `name:"jwt-secret" env:"JWT_SECRET" help:"Sign tokens with this shared secret (HS256), as the original does. Default: generated keys (ES256), public at /.well-known/jwks.json."`

	JWTSecretPrevious []secret.Text `name:"jwt-secret-previous" env:"JWT_SECRET_PREVIOUS" sep:"," help:"Previous shared secrets whose tokens are still accepted, separated by commas."`
	JWTSecretUntil    time.Time     `name:"jwt-secret-until" env:"STEPKEY_JWT_SECRET_UNTIL" help:"Time until which tokens signed with JWT_SECRET are accepted while new ones are signed with ES256 or EdDSA, such as 2030-01-31T12:00:00Z."`
	TokenAlgorithm    string        `name:"token-algorithm" env:"STEPKEY_TOKEN_ALGORITHM" enum:",HS256,ES256,EdDSA" default:"" help:"Algorithm for signing tokens: HS256, ES256 or EdDSA. Default: HS256 with JWT_SECRET, ES256 without."`
	KeyLifetime       time.Duration `name:"key-lifetime" env:"STEPKEY_KEY_LIFETIME" default:"2160h" help:"How long a signing key signs before the next one takes over."`

	AttestationRoots string   `name:"attestation-roots" env:"STEPKEY_ATTESTATION_ROOTS" help:"PEM file with the root certificates of security-key makers whose attestation is trusted. Default: none, and no attestation is requested."`
	RelatedOrigins   []string `name:"related-origins" env:"STEPKEY_RELATED_ORIGINS" sep:"," help:"Origins of pages outside the domain RP_ID that use the same passkeys, separated by commas. Browsers read five different names. Default: none."`
	AppOrigins       []string `name:"app-origins" env:"STEPKEY_APP_ORIGINS" sep:"," help:"Origins that only apps use, separated by commas: https://RP_ID for iOS if RP_ID is a parent domain, android:apk-key-hash:… for Android. They get no refresh cookie. Default: none."`
	TrustedProxies   []string `name:"trusted-proxies" env:"STEPKEY_TRUSTED_PROXIES" sep:"," help:"Networks of the proxies in front of the service, such as 10.0.0.0/8, separated by commas. They are trusted to report the client's address. Default: none, and the client's address is that of the connection's peer."`
	ClientIPHeader   string   `name:"client-ip-header" env:"STEPKEY_CLIENT_IP_HEADER" help:"Header in which those proxies report the client's address: X-Forwarded-For (the default), X-Real-IP or Forwarded."`

	GeoFile string `name:"geo-file" env:"STEPKEY_GEO_FILE" help:"File in the MaxMind DB format (.mmdb) with countries, so that lists of events and sessions name a country. Default: none."`
	Rules   string `env:"STEPKEY_RULES" help:"File of the gate's rules. Default: none, and there is no gate."`

	DBHost     string      `name:"db-host" env:"DB_HOST" help:"PostgreSQL host. Selects PostgreSQL as the database."`
	DBPort     int         `name:"db-port" env:"DB_PORT" default:"5432" help:"PostgreSQL port."`
	DBUser     string      `name:"db-user" env:"DB_USER" help:"PostgreSQL user."`
	DBPassword secret.Text `name:"db-password" env:"DB_PASSWORD" help:"PostgreSQL password."`
	DBName     string      `name:"db-name" env:"DB_NAME" help:"PostgreSQL database."`

	DatabaseURL    secret.Text `name:"database-url" env:"DATABASE_URL" help:"Database: postgres://… or sqlite:PATH, instead of the five settings above. Default: SQLite in the data folder."`
	DBSchema       string      `name:"db-schema" env:"STEPKEY_DB_SCHEMA" default:"stepkey" help:"PostgreSQL schema of Stepkey's tables. In SQLite, which has no schemas, the names of the tables begin with this and an underscore."`
	RedisURL       secret.Text `name:"redis-url" env:"REDIS_URL" help:"redis://…, rediss://… or unix://… of a Redis or Valkey that keeps challenges and rate-limit counts, instead of the database."`
	SMTPURL        secret.Text `name:"smtp-url" env:"SMTP_URL" help:"Mail server: smtp://user:password@host:587 (STARTTLS), smtps://user:password@host:465, or smtp://localhost:1025. Default: none, and no e-mail is sent."`
	MailFrom       string      `name:"mail-from" env:"STEPKEY_MAIL_FROM" help:"Sender address of mails, such as no-reply@example.com."`
	PublicURL      string      `name:"public-url" env:"STEPKEY_PUBLIC_URL" help:"URL that links in mails begin with: an origin and, if the pages are mounted below a path, that path. Default: the first origin."`
	Data           string      `env:"STEPKEY_DATA" default:"data" help:"Folder for SQLite and for the generated secret."`
	Secret         secret.Text `env:"STEPKEY_SECRET" help:"Root of all internal keys: 32 random bytes in base64 (openssl rand -base64 32), the same for all instances. Default: generated into the data folder."`
	Host           string      `env:"STEPKEY_HOST" help:"Address to listen on. Default: localhost if every origin is localhost, all addresses otherwise."`
	Issuer         string      `env:"STEPKEY_ISSUER" help:"Claim iss of the tokens. Default: the first origin."`
	Audience       string      `env:"STEPKEY_AUDIENCE" help:"Claim aud of the tokens. Default: the issuer."`
	Introspection  secret.Text `name:"introspection-secret" env:"STEPKEY_INTROSPECTION_SECRET" help:"Bearer token, at least 32 bytes long, of the services that may introspect tokens at /auth/introspect. Default: introspection is off."`
	CORSOrigins    []string    `name:"cors-origins" env:"STEPKEY_CORS_ORIGINS" sep:"," help:"Origins of pages on other origins that may call the API and read its answers, written like RP_ORIGIN, separated by commas. To use passkeys they must also be in RP_ORIGIN or STEPKEY_RELATED_ORIGINS. Default: none."`
	ReturnOrigins  []string    `name:"return-origins" env:"STEPKEY_RETURN_ORIGINS" sep:"," help:"Origins of pages to which the sign-in pages may send people back (return_to), beside those in RP_ORIGIN and STEPKEY_RELATED_ORIGINS, written like them and separated by commas. To read the token there, a page must also be in STEPKEY_CORS_ORIGINS. Default: none."`
	HashSlots      int         `name:"hash-slots" env:"STEPKEY_HASH_SLOTS" help:"How many passwords are hashed at once, each on one CPU with 19 MiB. Default: CPUs minus one, at least one."`
	MinPassword    int         `name:"min-password-length" env:"STEPKEY_MIN_PASSWORD_LENGTH" default:"8" help:"Minimum length of a new password, in characters. Set 15 if a password may be the only factor."`
	ReservedNames  []string    `name:"reserved-names" env:"STEPKEY_RESERVED_NAMES" sep:"," default:"default" help:"User names that cannot be used to sign up, separated by commas, or none. The word default stands for admin, root, support and the like: default,acme adds one."`
	OwnClaims      []string    `name:"claims" env:"STEPKEY_CLAIMS" sep:"," help:"Names of the claims that stepkey user claims can set and tokens carry, such as name,department,locale, separated by commas. Default: none."`
	Breached       string      `name:"breached-passwords" env:"STEPKEY_BREACHED_PASSWORDS" default:"off" help:"Whether new passwords are looked up among those from data breaches: off, on (at api.pwnedpasswords.com, which gets five digits of a hash), or the https URL of a mirror."`
	SignUp         string      `name:"signup" env:"STEPKEY_SIGNUP" enum:"open,invite,closed" default:"open" help:"Who may sign up: open for everybody, invite for people with an invitation (stepkey invite), closed for nobody."`
	Language       string      `name:"language" env:"STEPKEY_LANGUAGE" default:"auto" help:"Language of the pages and mails: auto, which is the reader's, or the tag of the only one, such as de."`
	Messages       string      `name:"messages" env:"STEPKEY_MESSAGES" help:"Folder with language files such as fr.json, which add languages to the pages and mails and replace words. Default: none, and they are in English and German."`
	RequireAddress string      `name:"require-confirmed-address" env:"STEPKEY_REQUIRE_CONFIRMED_ADDRESS" enum:"on,off" default:"off" help:"Whether people who sign up give an e-mail address and confirm it before they can sign in: on or off. It needs SMTP_URL. Existing users are not affected. Accounts that nobody confirms are deleted after a week."`
	SignInByAddr   string      `name:"sign-in-by-address" env:"STEPKEY_SIGN_IN_BY_ADDRESS" enum:"on,off" default:"off" help:"Whether people can type their confirmed e-mail address in place of the user name: on or off. With on, new user names with an @ are refused; existing ones keep working and win over an address."`
	Demo           string      `env:"STEPKEY_DEMO" enum:",on,off" default:"" help:"Whether the pages have the demo at /demo: on or off. Default: on if every origin is localhost."`
	PasskeyLogin   string      `name:"passkey-login" env:"STEPKEY_PASSKEY_LOGIN" enum:"on,off" default:"on" help:"Whether users can sign in with a passkey alone, at level full: on or off."`
	Limits         string      `env:"STEPKEY_LIMITS" enum:"on,off" default:"on" help:"Whether rate limits apply: on, or off for load tests on localhost."`
	AttackFailures int         `name:"attack-failures" env:"STEPKEY_ATTACK_FAILURES" default:"300" help:"Failed logins a minute, of all clients together, above which an attack is assumed and the limit per address is tightened."`
	LogFormat      string      `name:"log-format" env:"STEPKEY_LOG_FORMAT" enum:"text,json" default:"text" help:"Log format: text or json."`

	MaxConnections  int           `name:"max-connections" env:"STEPKEY_MAX_CONNECTIONS" help:"Maximum number of connections from clients. Default: 4096, or three quarters of the open files that the system allows."`
	DBTimeout       time.Duration `name:"db-timeout" env:"STEPKEY_DB_TIMEOUT" default:"2s" help:"Longest wait for the database in one operation; after that the answer is 503. Commands other than serve wait at least a minute."`
	RedisTimeout    time.Duration `name:"redis-timeout" env:"STEPKEY_REDIS_TIMEOUT" default:"250ms" help:"Longest wait for Redis in one operation, at least 125ms; after that the answer is 503."`
	RequestTimeout  time.Duration `name:"request-timeout" env:"STEPKEY_REQUEST_TIMEOUT" default:"5s" help:"Longest time for a request; after that the answer is 503."`
	HashWait        time.Duration `name:"hash-wait" env:"STEPKEY_HASH_WAIT" default:"1.5s" help:"How long a password may wait to be hashed; after that the answer is 503 with Retry-After."`
	RecoveryCoolOff time.Duration `name:"recovery-cool-off" env:"STEPKEY_RECOVERY_COOL_OFF" default:"24h" help:"How long a passkey cannot be used after it was added through recovery, or as the first one after a reset by e-mail, so that the owner has time to stop it. For the same time after a reset, the address of an account without a passkey cannot be changed."`
	KeepEvents      int           `name:"keep-events" env:"STEPKEY_KEEP_EVENTS" default:"365" help:"How many days events are kept; 0 keeps them forever."`
	ShutdownDelay   time.Duration `name:"shutdown-delay" env:"STEPKEY_SHUTDOWN_DELAY" default:"0s" help:"Graceful shutdown: how long to keep serving after SIGTERM, with /readyz answering 503. Behind a load balancer, set it longer than the interval of its health checks."`

	brandSettings
}

// origins returns the configured origins, or the local one.
func (s settings) origins() []string {
	if len(s.RPOrigin) == 0 {
		return []string{"http://localhost:" + strconv.Itoa(s.Port)}
	}
	return trimAll(s.RPOrigin)
}

// corsOrigins returns the origins of pages on other origins. It refuses an origin of
// STEPKEY_APP_ORIGINS, which could otherwise read answers like a page.
func (s settings) corsOrigins() ([]string, error) {
	return s.pageOrigins("STEPKEY_CORS_ORIGINS", s.CORSOrigins)
}

// returnOrigins returns the origins that pages may send people back to, apart from the service's
// own. An app's origin is refused: a browser cannot be sent to it.
func (s settings) returnOrigins() ([]string, error) {
	return s.pageOrigins("STEPKEY_RETURN_ORIGINS", s.ReturnOrigins)
}

// pageOrigins returns the origins in a setting, all of them of pages and none of an app.
func (s settings) pageOrigins(setting string, list []string) ([]string, error) {
	origins, apps := trimAll(list), trimAll(s.AppOrigins)
	var faults []error
	for _, origin := range origins {
		faults = append(faults, stepkey.CheckPageOrigin(setting, origin))
		if slices.Contains(apps, origin) {
			faults = append(faults, fmt.Errorf("%s has %s, which is also in STEPKEY_APP_ORIGINS: "+
				"remove it from one of the two", setting, origin))
		}
	}
	return origins, errors.Join(faults...)
}

// trimAll trims spaces, such as those after commas.
func trimAll(list []string) []string {
	var trimmed []string
	for _, text := range list {
		trimmed = append(trimmed, strings.TrimSpace(text))
	}
	return trimmed
}

// address returns the address to listen on: localhost if passkeys only work
// there, because no other machine could use the service.
func (s settings) address() string {
	host := s.Host
	if host == "" && allLocalhost(slices.Concat(s.origins(), trimAll(s.AppOrigins))) {
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.Itoa(s.Port))
}

func allLocalhost(origins []string) bool {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || (u.Hostname() != "localhost" && !strings.HasSuffix(u.Hostname(), ".localhost")) {
			return false
		}
	}
	return true
}

func anyHTTPS(origins []string) bool {
	for _, origin := range origins {
		if strings.HasPrefix(origin, "https://") {
			return true
		}
	}
	return false
}

// maxConnections leaves open files for the database and everything else: a server
// that has none left cannot even accept a connection in order to displace another.
func (s settings) maxConnections() int {
	if s.MaxConnections > 0 {
		return s.MaxConnections
	}
	return min(httpapi.DefaultMaxConnections, openFiles()/4*3)
}

// database returns the URL of the database, and a description of it for
// messages.
func (s settings) database() (dsn, described string, err error) {
	switch {
	case s.DatabaseURL != "" && s.DBHost != "":
		return "", "", errors.New("both DATABASE_URL and DB_HOST are set: remove one of them")
	case strings.HasPrefix(s.DatabaseURL.Reveal(), "sqlite:"):
		return s.DatabaseURL.Reveal(), "SQLite", nil
	case s.DatabaseURL != "":
		return s.DatabaseURL.Reveal(), "PostgreSQL", nil
	case s.DBHost != "":
		return s.postgresURL(), "PostgreSQL on " + s.DBHost, nil
	default:
		return "sqlite:" + filepath.Join(s.Data, "stepkey.db"), "SQLite in " + s.Data, nil
	}
}

func (s settings) postgresURL() string {
	u := url.URL{Scheme: "postgres", Host: net.JoinHostPort(s.DBHost, strconv.Itoa(s.DBPort)), Path: "/" + s.DBName}
	if s.DBUser != "" {
		u.User = url.UserPassword(s.DBUser, s.DBPassword.Reveal())
	}
	if strings.HasPrefix(s.DBHost, "/") {
		// A folder with the server's socket, as in libpq.
		u.Host, u.RawQuery = "", url.Values{"host": {s.DBHost}, "port": {strconv.Itoa(s.DBPort)}}.Encode()
	}
	return u.String()
}

// attestationRoots reads the certificates of the trusted makers, or returns nil
// if the setting is empty.
func (s settings) attestationRoots() (*x509.CertPool, error) {
	if s.AttestationRoots == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.AttestationRoots)
	if err != nil {
		return nil, fmt.Errorf("STEPKEY_ATTESTATION_ROOTS cannot be read: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("STEPKEY_ATTESTATION_ROOTS: there is no certificate in %s: "+
			"put the makers' root certificates there, in PEM", s.AttestationRoots)
	}
	return roots, nil
}

// maxTimeout bounds the timeouts that can be set: an operation that takes
// longer is stuck.
const maxTimeout = 10 * time.Minute

func (s settings) checkTimeouts() error {
	for _, setting := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"STEPKEY_DB_TIMEOUT", s.DBTimeout, time.Millisecond},
		{"STEPKEY_REDIS_TIMEOUT", s.RedisTimeout, 125 * time.Millisecond},
		{"STEPKEY_REQUEST_TIMEOUT", s.RequestTimeout, time.Millisecond},
		{"STEPKEY_HASH_WAIT", s.HashWait, time.Millisecond},
	} {
		if setting.value < setting.least || setting.value > maxTimeout {
			return fmt.Errorf("%s is %s: set it between %s and %s", setting.name, setting.value, setting.least, maxTimeout)
		}
	}
	return nil
}

// maxKeepEvents bounds STEPKEY_KEEP_EVENTS, because a longer time does not fit into a
// time.Duration.
const maxKeepEvents = 36_500

// keepEvents returns how long the store keeps events.
func (s settings) keepEvents() (time.Duration, error) {
	switch {
	case s.KeepEvents < 0 || s.KeepEvents > maxKeepEvents:
		return 0, fmt.Errorf("STEPKEY_KEEP_EVENTS is %d: set it to a number of days from 1 to %d, or to 0 to keep events forever",
			s.KeepEvents, maxKeepEvents)
	case s.KeepEvents == 0:
		return -1, nil
	default:
		return time.Duration(s.KeepEvents) * 24 * time.Hour, nil
	}
}

// needsDataFolder reports whether the secret or the database is in the data
// folder.
func (s settings) needsDataFolder() bool {
	return s.Secret == "" || (s.DatabaseURL == "" && s.DBHost == "")
}

// logger returns the log, and a function that writes the last lines of it.
func (s settings) logger(out output) (log *slog.Logger, finish func()) {
	lines := logbuffer.New(out.stderr)
	var handler slog.Handler = slog.NewTextHandler(lines, nil)
	if s.LogFormat == "json" {
		handler = slog.NewJSONHandler(lines, nil)
	}
	return slog.New(lines.Urgent(handler)), lines.Close
}

package stepup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/purposes"
	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/stepup/web"
)

// Config is what a [Kit] is made of. DB, Secret, Origins, Purposes and SignIn have to be given.
type Config struct {
	// DB is the application's own pool, of PostgreSQL or SQLite. The packages sqlstore/postgres
	// and sqlstore/sqlite say what a pool should be set to.
	DB *sql.DB

	// Secret, Origins, RPID and RPName are as in stepkey.Config. RPName names the application
	// to people.
	Secret       string
	Origins      []string
	RPID, RPName string

	// Purposes are the rules by name; [ParsePurposes] reads them from text.
	Purposes []Purpose

	// Identify says who makes a request, from the application's own session. It returns the
	// zero Identity if nobody is signed in, and an error if that cannot be known; the answer
	// is then 503. nil means that [WithIdentity] put it into the request's context.
	Identify func(*http.Request) (Identity, error)

	// SignIn is the application's sign-in page, as in "/login?next=": the path to return to
	// is appended, escaped.
	SignIn string

	// Schema is the schema of Stepkey's tables in PostgreSQL, or what their names begin with
	// in SQLite. The default is "stepkey".
	Schema string

	// Realm tells applications on the same tables apart; it must not change. The default is
	// "app".
	Realm string

	// Path is where the Kit is mounted, as browsers see it; the default is "/_stepkey/".
	// Prefix is the part of it that a proxy strips.
	Path, Prefix string

	// Language is that of the Kit's pages, its dialog and the reasons that they show: "en", the
	// default, or "de". The application's own words, such as the titles of purposes, stay as they
	// are.
	Language string

	// Prove are the application's pages for factors of its own, and for Password in place of
	// SignIn, in the form of SignIn.
	Prove map[Factor]string

	// Enrol is what a user without a passkey needs to add the first one, besides a password
	// that is at most 10 minutes old. The default needs no more.
	Enrol Rule

	// Renew gives the session a new token after a verification, so that a copy of the old one
	// does not share the proof (OWASP ASVS 7.2.4). Session of Identity stays the same.
	Renew func(http.ResponseWriter, *http.Request) error

	// Notify is called at least once for each event of a user, after it was committed, by any
	// instance. While it returns an error it is called again, for up to three days.
	Notify func(context.Context, Event) error

	// Layout draws a page of the application around a body. The default is a page of the
	// Kit's own.
	Layout func(w http.ResponseWriter, r *http.Request, title string, body template.HTML)

	// Nonce returns the nonce of the application's Content-Security-Policy for a request.
	Nonce func(*http.Request) string

	// Status is that of refusals to scripts: 401, the default, or 403 for applications whose
	// scripts sign out on every 401.
	Status int

	// Staleness is how old a proof may be read from memory: 0, the default, asks the database
	// for every request, and at most 5 s are allowed. A proof that was ended elsewhere works
	// for that long.
	Staleness time.Duration

	// DangerNoLimits turns off all rate limits. It is for load tests, and refused unless every
	// origin is localhost.
	DangerNoLimits bool

	// Log takes what an operator should know; the default discards it. Clock is the time by
	// which everything is decided; the default is that of the database.
	Log   *slog.Logger
	Clock func() time.Time
}

// maxStaleness bounds Config.Staleness: people expect that signing out ends things at once.
const maxStaleness = 5 * time.Second

// managing is the purpose of the Kit's own changes: adding, renaming and removing passkeys. The
// rule is that of the engine, which asks it again.
const managing = "passkeys"

// Kit adds passkeys to an application. It is safe for concurrent use; make one with [New].
type Kit struct {
	config   Config
	realm    *stepkey.Realm
	store    *sqlstore.Store
	pages    *web.Pages
	mux      *http.ServeMux
	purposes map[string]Purpose
	key      [32]byte // of sealed forms
	hosts    []string // of Origins
	proofs   *proofCache
	counts   *tally
	log      *slog.Logger
}

// New checks c, brings Stepkey's tables up to date, and returns a Kit. Its errors name the field
// and say what to do; a purpose that nobody could meet is one. Call [Kit.Run] as well.
func New(ctx context.Context, c Config) (*Kit, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, c.DB, c.Schema, c.Clock)
	if err != nil {
		return nil, err
	}
	k := &Kit{
		config: c, store: store, pages: web.New(c.Path, c.Language), purposes: make(map[string]Purpose),
		proofs: newProofCache(c.Staleness), counts: newTally(), log: c.Log,
	}
	for _, origin := range c.Origins {
		if u, err := url.Parse(origin); err == nil {
			k.hosts = append(k.hosts, u.Host)
		}
	}
	clock := c.Clock
	if clock == nil {
		clock = store.Now
	}
	realm := stepkey.RealmConfig{
		Name: c.Realm, Store: store, Challenges: store, Limiter: store, Secret: c.Secret,
		Origins: c.Origins, RPID: c.RPID, RPName: c.RPName, Clock: clock, Log: c.Log,
		DangerNoLimits: c.DangerNoLimits,
	}
	if c.Notify != nil {
		realm.Notify = func(ctx context.Context, e stepkey.RealmEvent) error { return c.Notify(ctx, eventOf(e)) }
	}
	if k.realm, err = stepkey.NewRealm(ctx, realm); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if err := k.addPurposes(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	root, err := secret.ParseRoot(c.Secret)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stepup: Config.Secret: %w", err), store.Close())
	}
	k.key = [32]byte(root.Derive("form of an application"))
	k.routes()
	return k, nil
}

func (c Config) withDefaults() (Config, error) {
	orDefault := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	orDefault(&c.Realm, "app")
	orDefault(&c.Path, "/_stepkey/")
	orDefault(&c.Language, web.English)
	if c.Status == 0 {
		c.Status = http.StatusUnauthorized
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Identify == nil {
		c.Identify = func(r *http.Request) (Identity, error) {
			id, ok := identityFrom(r.Context())
			if !ok {
				return Identity{}, errors.New("stepup: Config.Identify is nil and no WithIdentity ran before")
			}
			return id, nil
		}
	}
	c.Origins, c.Purposes = slices.Clone(c.Origins), slices.Clone(c.Purposes)
	return c, c.check()
}

func (c Config) check() error {
	switch {
	case c.DB == nil:
		return errors.New("stepup: Config.DB is nil: give the application's pool")
	case len(c.Purposes) == 0:
		return errors.New("stepup: Config.Purposes is empty: name what needs a passkey")
	case c.Status != http.StatusUnauthorized && c.Status != http.StatusForbidden:
		return errors.New("stepup: Config.Status has to be 401 or 403")
	case c.Staleness < 0 || c.Staleness > maxStaleness:
		return fmt.Errorf("stepup: Config.Staleness is %s: set it between 0 and %s", c.Staleness, maxStaleness)
	case !web.Speaks(c.Language):
		return fmt.Errorf("stepup: Config.Language is %q: set it to en or de", c.Language)
	case !isMountPath(c.Path):
		return fmt.Errorf("stepup: Config.Path is %q: write it like /_stepkey/, with a slash at both ends and no dots", c.Path)
	case c.Prefix != "" && (!strings.HasPrefix(c.Path, c.Prefix+"/") || strings.HasSuffix(c.Prefix, "/")):
		return fmt.Errorf("stepup: Config.Prefix is %q, with which Config.Path does not begin", c.Prefix)
	}
	if len(c.Enrol) > 0 {
		if err := c.Enrol.check(); err != nil {
			return fmt.Errorf("stepup: Config.Enrol: %w", err)
		}
	}
	if err := checkPage("Config.SignIn", c.SignIn); err != nil {
		return err
	}
	for factor, page := range c.Prove {
		if err := purposes.CheckFactor(string(factor)); err != nil {
			return fmt.Errorf("stepup: Config.Prove: %w", err)
		}
		if err := checkPage(fmt.Sprintf("Config.Prove[%q]", factor), page); err != nil {
			return err
		}
	}
	return nil
}

// isMountPath refuses dots as well: common settings of nginx deny every path with /. in it.
func isMountPath(p string) bool {
	return len(p) > 1 && strings.HasPrefix(p, "/") && strings.HasSuffix(p, "/") && path.Clean(p)+"/" == p &&
		!strings.ContainsFunc(p, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`.\%?#{}`, c) })
}

// checkPage refuses a page of the application's that is no path and no URL.
func checkPage(field, page string) error {
	u, err := url.Parse(page)
	if err == nil && (strings.HasPrefix(page, "/") && !strings.HasPrefix(page, "//") || u.Scheme == "https" || u.Scheme == "http") {
		return nil
	}
	return fmt.Errorf("stepup: %s is %q: write it like /login?next=", field, page)
}

// addPurposes takes over the purposes, and refuses those that are not in order.
func (k *Kit) addPurposes() error {
	now := k.realm.Now()
	for _, p := range k.config.Purposes {
		if err := errors.Join(p.check(), p.checkUntil(now)); err != nil {
			return fmt.Errorf("stepup: Config.Purposes: %w", err)
		}
		if _, twice := k.purposes[p.Name]; twice || p.Name == managing {
			return fmt.Errorf("stepup: Config.Purposes: the name %q is taken: choose another one", p.Name)
		}
		if !k.canMeet(p.Rule) {
			return fmt.Errorf("stepup: Config.Purposes: nobody can meet %q: each alternative needs a factor of the application's "+
				"that has no page in Config.Prove", p.Name)
		}
		k.purposes[p.Name] = p
	}
	k.purposes[managing] = Purpose{Name: managing, Title: "Change your passkeys", Rule: Passkey.Within(stepkey.FullWindow)}
	return nil
}

func (k *Kit) canMeet(r Rule) bool {
	return slices.ContainsFunc(r, func(list []Need) bool {
		return !slices.ContainsFunc(list, func(n Need) bool {
			return n.Factor != Passkey && n.Factor != Password && k.config.Prove[n.Factor] == ""
		})
	})
}

// purpose returns the purpose of a name that the application's code gives.
func (k *Kit) purpose(name string) Purpose {
	p, ok := k.purposes[name]
	if !ok {
		panic(fmt.Sprintf("stepup: there is no purpose %q in Config.Purposes", name))
	}
	return p
}

// Run does what a Kit does by itself, until ctx ends: it deletes what has expired, calls Notify,
// stores counts, and warns of shadow modes that are about to end. It returns the error of ctx.
func (k *Kit) Run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.realm.Run(ctx)
	}()
	k.keepCounting(ctx)
	<-done
	return ctx.Err()
}

// Migrate brings Stepkey's tables in the application's database up to date and changes nothing
// else, for applications that migrate in a step of its own. An empty schema is "stepkey".
func Migrate(ctx context.Context, db *sql.DB, schema string) error {
	store, err := openStore(ctx, db, schema, nil)
	if err != nil {
		return err
	}
	return store.Close()
}

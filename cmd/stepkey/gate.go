package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/gate"
	"github.com/stepkey/stepkey/gate/rules"
	"github.com/stepkey/stepkey/internal/clientip"
	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/internal/secret"
)

// gateHeaders is how long the headers of a request may be in bytes where a proxy asks with
// those of the client, to which its own come. Proxies accept more than our usual limit, and
// their users would see 431.
const gateHeaders = 64 << 10

// ruleFile is the file of rules as it was last in order. Without a path its rules stay.
type ruleFile struct {
	path    string
	log     *slog.Logger
	current atomic.Pointer[rules.File]
}

// openRules returns nil without an error if there is no gate.
func (s settings) openRules(log *slog.Logger) (*ruleFile, error) {
	if s.Rules == "" {
		return nil, nil
	}
	if len(s.TrustedProxies) == 0 {
		return nil, errors.New("STEPKEY_RULES is set without STEPKEY_TRUSTED_PROXIES, so that no proxy would be believed: " +
			"list the addresses of the proxies that ask /forward-auth")
	}
	return s.loadRules(log)
}

func (s settings) loadRules(log *slog.Logger) (*ruleFile, error) {
	f := &ruleFile{path: s.Rules, log: log}
	file, err := rules.Load(s.Rules, time.Now())
	if err != nil {
		return nil, fmt.Errorf("STEPKEY_RULES: %w", err)
	}
	f.current.Store(file)
	return f, nil
}

// follow loads the file again at each SIGHUP until ctx is done. It listens once it has
// returned.
func (f *ruleFile) follow(ctx context.Context) {
	if f.path == "" {
		return
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangups)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				f.reload()
			}
		}
	}()
}

// reload keeps the old rules if the new ones are not in order: with none, every request
// would be refused.
func (f *ruleFile) reload() {
	file, err := rules.Load(f.path, time.Now())
	if err != nil {
		f.log.Error("The rules were not loaded again, and the old ones apply: correct the file, then send SIGHUP", "error", err)
		return
	}
	f.current.Store(file)
	f.log.Info("The rules were loaded again", "rules", file.Rules(), "origins", file.Apps())
}

// behindGate returns what reports whether an origin has rules, and nil without a gate.
func (f *ruleFile) behindGate() func(origin string) bool {
	if f == nil {
		return nil
	}
	return func(origin string) bool { return f.current.Load().Has(origin) }
}

// withGate answers the proxies that ask by the rules, and what browsers ask for at the origins of
// applications. It leaves all else to next.
func (s settings) withGate(f *ruleFile, next http.Handler, service *stepkey.Service) (http.Handler, error) {
	options, err := s.gateOptions(f, service)
	if err != nil {
		return nil, err
	}
	forwardAuth := gate.NewForwardAuth(options)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Caddy sends the target http:http://x/livez of its client on to us in place of our own path,
		// and would take the page for a yes. No client sends a whole URL to a server that is no proxy.
		if r.URL.IsAbs() {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if r.URL.Path == gate.ForwardAuthPath || r.URL.Path == gate.RefusedPath {
			forwardAuth.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == keysPath {
			keysOf(next).ServeHTTP(w, r)
			return
		}
		if options.Handshake.Handles(r) {
			options.Handshake.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

// gateOptions are what requests are judged with.
func (s settings) gateOptions(f *ruleFile, service *stepkey.Service) (gate.Options, error) {
	trusted, err := s.trustedProxies()
	if err != nil {
		return gate.Options{}, err
	}
	proxies, err := clientip.New(trusted, "")
	if err != nil {
		return gate.Options{}, err
	}
	key, err := s.formKey()
	if err != nil {
		return gate.Options{}, err
	}
	languages, err := s.gateLanguages()
	if err != nil {
		return gate.Options{}, err
	}
	brand, err := s.brand()
	if err != nil {
		return gate.Options{}, err
	}
	handshake, err := gate.NewHandshake(gate.HandshakeOptions{
		Browsers: service, Rules: f.current.Load, TrustsPeer: proxies.TrustsPeer, Log: f.log,
		Portal: strings.TrimSuffix(cmp.Or(s.PublicURL, s.origins()[0]), "/"), Name: s.RPName, Colours: brand.Colours(),
		Languages: languages,
		Key:       key, Clock: service.Now,
	})
	if err != nil {
		return gate.Options{}, err
	}
	tokens := gate.NewTokenSessions(service.Verifier(), service)
	return gate.Options{
		Rules: f.current.Load, Sessions: gate.NewBrowserSessions(service, tokens, service.Now),
		TrustsPeer: proxies.TrustsPeer, Handshake: handshake, Clock: service.Now, Log: f.log,
	}, nil
}

// formKey seals forms that wait in browsers. It comes of the secret that all instances share.
func (s settings) formKey() (key [32]byte, err error) {
	text, err := s.rootSecret()
	if err != nil {
		return key, err
	}
	root, err := secret.ParseRoot(text)
	if err != nil {
		return key, err
	}
	copy(key[:], root.Derive("gate form"))
	return key, nil
}

// gateLanguages are the languages of the pages, for those on the origins of applications.
func (s settings) gateLanguages() (*messages.Set, error) {
	own, err := s.languages()
	if err != nil {
		return nil, err
	}
	set, err := messages.LoadService(own)
	if err != nil {
		return nil, fmt.Errorf("STEPKEY_MESSAGES: %w", err)
	}
	if only := s.onlyLanguage(); only != "" {
		if err := set.Only(only); err != nil {
			return nil, fmt.Errorf("STEPKEY_LANGUAGE: %w", err)
		}
	}
	return set, nil
}

// keysPath has the public keys of assertions, at the origin of each application.
const keysPath = gate.PagesPrefix + "/jwks.json"

// keysOf answers as the service does at its own path.
func keysOf(service http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = "/.well-known/jwks.json", ""
		service.ServeHTTP(w, r)
	})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/httpapi"
	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/token"
)

// drain is how long running requests may take after the service was told to
// stop.
const drain = 20 * time.Second

type serveCommand struct {
	settings
}

// Run serves until ctx is done. Then /readyz answers that the service is not
// ready, Run continues to serve for ShutdownDelay, and lets running requests
// finish.
func (c *serveCommand) Run(ctx context.Context, out output) error {
	log, finishLog := c.logger(out)
	defer finishLog()
	rules, err := c.openRules(log)
	if err != nil {
		return err
	}
	a, err := c.assemble(ctx, log, rules)
	if err != nil {
		return err
	}
	defer a.close()
	handler := a.handler
	if rules != nil {
		if handler, err = c.withGate(rules, handler, a.service); err != nil {
			return err
		}
		rules.follow(ctx)
	}
	server := c.server(handler, log)
	if rules != nil {
		server.MaxHeaderBytes = gateHeaders
	}
	return c.run(ctx, a, server, func(described string) {
		fmt.Fprintf(out.stdout, "Stepkey is ready at %s (%s)\n", c.origins()[0], described)
	})
}

// assembled is the service with its handler, ready to be served. Close it at the end.
type assembled struct {
	service *stepkey.Service
	handler http.Handler
	log     *slog.Logger
	close   func()
}

// assemble opens what the service needs. The applications in rules, which may be nil, are
// behind the gate.
func (s *settings) assemble(ctx context.Context, log *slog.Logger, rules *ruleFile) (*assembled, error) {
	clientIP, err := s.clientIP()
	if err != nil {
		return nil, err
	}
	country, err := s.country()
	if err != nil {
		return nil, err
	}
	corsOrigins, err := s.corsOrigins()
	if err != nil {
		return nil, err
	}
	returnOrigins, err := s.returnOrigins()
	if err != nil {
		return nil, err
	}
	store, config, err := s.open(ctx, log)
	if err != nil {
		return nil, err
	}
	closeRedis, err := s.openRedis(ctx, log, &config)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	a := &assembled{log: log, close: func() {
		closeRedis()
		store.Close()
	}}
	if a.service, err = stepkey.New(ctx, config); err != nil {
		a.close()
		return nil, err
	}
	pages, err := s.pages(append(a.service.Origins(), returnOrigins...))
	if err != nil {
		a.close()
		return nil, err
	}
	if config.WeakSharedSecret() {
		log.Warn("JWT_SECRET is shorter than 32 bytes. Anyone who guesses it can sign in as anybody. " +
			"This is only for trying out on localhost: for anything else, set one made with openssl rand -base64 32")
	}
	a.handler = httpapi.New(a.service, httpapi.Options{
		Pages: pages, CORSOrigins: corsOrigins, HSTS: anyHTTPS(s.origins()), Log: log,
		IntrospectionSecret: s.Introspection.Reveal(), ClientIP: clientIP, Country: country, Stopping: ctx.Done(),
		RequestTimeout: s.RequestTimeout, BehindGate: rules.behindGate(),
	})
	return a, nil
}

func (s *settings) server(handler http.Handler, log *slog.Logger) *http.Server {
	return httpapi.NewServer(handler, httpapi.ServerOptions{
		MaxConnections: s.maxConnections(), RequestTimeout: s.RequestTimeout, Log: log,
	})
}

// run serves until ctx is done. It calls ready, with a description of the database, once it
// listens.
func (s *settings) run(ctx context.Context, a *assembled, server *http.Server, ready func(described string)) error {
	listener, err := net.Listen("tcp", s.address())
	if err != nil {
		return fmt.Errorf("cannot listen on %s: set PORT to a free port: %w", s.address(), err)
	}
	dsn, described, _ := s.database()
	warnOfReadableFiles(a.log, dsn)
	for _, setting := range s.ignored(a.service.Now()) {
		a.log.Warn(setting.name + " has no effect " + setting.reason)
	}
	ready(described)

	// Background work continues as long as there are requests.
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait() // lets mails that are being sent finish
	defer end()
	running.Go(func() { a.service.Run(background) })
	return serve(ctx, server, listener, s.ShutdownDelay)
}

// open opens the store and makes the service.
func (c *settings) open(ctx context.Context, log *slog.Logger) (*sqlstore.Store, stepkey.Config, error) {
	if err := errors.Join(c.checkTimeouts(), c.checkNumbers()); err != nil {
		return nil, stepkey.Config{}, err
	}
	if c.needsDataFolder() {
		if err := openDataFolder(c.Data); err != nil {
			return nil, stepkey.Config{}, err
		}
	}
	root, err := c.rootSecret()
	if err != nil {
		return nil, stepkey.Config{}, err
	}
	if err := c.checkSecrets(root); err != nil {
		return nil, stepkey.Config{}, err
	}
	attestationRoots, err := c.attestationRoots()
	if err != nil {
		return nil, stepkey.Config{}, err
	}
	mailer, err := c.mailer()
	if err != nil {
		return nil, stepkey.Config{}, err
	}
	breaches, err := c.breaches()
	if err != nil {
		return nil, stepkey.Config{}, err
	}
	reserved, err := c.reservedNames()
	if err != nil {
		return nil, stepkey.Config{}, err
	}
	languages, err := c.languages()
	if err != nil {
		return nil, stepkey.Config{}, err
	}
	dsn, described, err := c.database()
	if err != nil {
		return nil, stepkey.Config{}, err
	}
	keepEvents, err := c.keepEvents()
	if err != nil {
		return nil, stepkey.Config{}, err
	}
	store, err := storeurl.Open(ctx, dsn, sqlstore.Options{Schema: c.DBSchema, Timeout: c.DBTimeout, KeepEvents: keepEvents})
	if err != nil {
		return nil, stepkey.Config{}, fmt.Errorf("cannot use %s: %w", described, err)
	}
	return store, stepkey.Config{
		Store: store, Challenges: store, Limiter: store, Clock: store.Now, Log: log,
		SignUp: stepkey.SignUpMode(c.SignUp), NoPasskeyLogIn: c.PasskeyLogin == "off", SignInByAddress: c.SignInByAddr == "on",
		RequireConfirmedAddress: c.RequireAddress == "on",
		DangerNoLimits:          c.Limits == "off", AttackFailures: c.AttackFailures, RecoveryCoolOff: c.RecoveryCoolOff, MinPasswordLength: c.MinPassword,
		Secret: root, SharedSecret: c.JWTSecret.Reveal(), PreviousSharedSecrets: revealAll(c.JWTSecretPrevious),
		SharedSecretUntil: c.JWTSecretUntil, Algorithm: token.Algorithm(c.TokenAlgorithm), KeyLifetime: c.KeyLifetime,
		Origins: c.origins(), RelatedOrigins: trimAll(c.RelatedOrigins), AppOrigins: trimAll(c.AppOrigins), RPID: c.RPID, RPName: c.RPName,
		Issuer: c.Issuer, Audience: c.Audience, HashSlots: c.HashSlots, HashWait: c.HashWait, AttestationRoots: attestationRoots,
		Mailer: mailer, PublicURL: c.PublicURL, Breaches: breaches, ReservedNames: reserved, OwnClaims: trimAll(c.OwnClaims),
		Languages: languages, Language: c.onlyLanguage(),
	}, nil
}

func revealAll(secrets []secret.Text) []string {
	var list []string
	for _, text := range secrets {
		list = append(list, text.Reveal())
	}
	return list
}

// serve runs server until ctx is done and delay has passed. During the delay the
// handler reports that it is not ready, but still answers clients that have not
// noticed. It speaks TLS if the server has a TLSConfig.
func serve(ctx context.Context, server *http.Server, listener net.Listener, delay time.Duration) error {
	failed := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			failed <- server.ServeTLS(listener, "", "")
			return
		}
		failed <- server.Serve(listener)
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		time.Sleep(delay)
	}
	stopping, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		return errors.Join(fmt.Errorf("requests were still running after %s: %w", drain, err), server.Close())
	}
	return nil
}

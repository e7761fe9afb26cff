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
	"github.com/stepkey/stepkey/webui"
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
	log := c.logger(out)
	clientIP, err := c.clientIP()
	if err != nil {
		return err
	}
	corsOrigins, err := c.corsOrigins()
	if err != nil {
		return err
	}
	store, config, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer store.Close()
	closeRedis, err := c.openRedis(ctx, log, &config)
	if err != nil {
		return err
	}
	defer closeRedis()
	service, err := stepkey.New(ctx, config)
	if err != nil {
		return err
	}
	if config.WeakSharedSecret() {
		log.Warn("JWT_SECRET is shorter than 32 bytes. Anyone who guesses it can sign in as anybody. " +
			"This is only for trying out on localhost: for anything else, set one made with openssl rand -base64 32")
	}
	listener, err := net.Listen("tcp", c.address())
	if err != nil {
		return fmt.Errorf("cannot listen on %s: set PORT to a free port: %w", c.address(), err)
	}
	handler := httpapi.New(service, httpapi.Options{
		Pages: webui.New(webui.Options{SignUp: c.SignUp}), CORSOrigins: corsOrigins, HSTS: anyHTTPS(c.origins()), Log: log,
		IntrospectionSecret: c.Introspection.Reveal(), ClientIP: clientIP, Stopping: ctx.Done(),
		RequestTimeout: c.RequestTimeout,
	})
	dsn, described, _ := c.database()
	warnOfReadableFiles(log, dsn)
	for _, setting := range c.ignored(service.Now()) {
		log.Warn(setting.name + " has no effect " + setting.reason)
	}
	fmt.Fprintf(out.stdout, "Stepkey is ready at %s (%s)\n", c.origins()[0], described)

	// Background work continues as long as there are requests.
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait() // lets mails that are being sent finish
	defer end()
	running.Go(func() { service.Run(background) })
	return serve(ctx, httpapi.NewServer(handler, httpapi.ServerOptions{
		MaxConnections: c.maxConnections(), RequestTimeout: c.RequestTimeout, Log: log,
	}), listener, c.ShutdownDelay)
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
		SignUp: stepkey.SignUpMode(c.SignUp), NoPasskeyLogIn: c.PasskeyLogin == "off",
		DangerNoLimits: c.Limits == "off", AttackFailures: c.AttackFailures, RecoveryCoolOff: c.RecoveryCoolOff, MinPasswordLength: c.MinPassword,
		Secret: root, SharedSecret: c.JWTSecret.Reveal(), PreviousSharedSecrets: revealAll(c.JWTSecretPrevious),
		SharedSecretUntil: c.JWTSecretUntil, Algorithm: token.Algorithm(c.TokenAlgorithm), KeyLifetime: c.KeyLifetime,
		Origins: c.origins(), RelatedOrigins: trimAll(c.RelatedOrigins), AppOrigins: trimAll(c.AppOrigins), RPID: c.RPID, RPName: c.RPName,
		Issuer: c.Issuer, Audience: c.Audience, HashSlots: c.HashSlots, HashWait: c.HashWait, AttestationRoots: attestationRoots,
		Mailer: mailer, PublicURL: c.PublicURL, Breaches: breaches, ReservedNames: reserved,
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
// noticed.
func serve(ctx context.Context, server *http.Server, listener net.Listener, delay time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
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

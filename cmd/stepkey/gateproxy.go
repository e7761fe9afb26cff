package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stepkey/stepkey/gate"
	"github.com/stepkey/stepkey/gate/rules"
	"github.com/stepkey/stepkey/httpapi"
)

// streamGrace is how long WebSockets and streams go on after the gate was told to stop. They
// could go on forever, and would hold up the stop.
const streamGrace = 5 * time.Second

// gateCommand serves one application behind the gate's own proxy, with the service itself
// below gate.PagesPrefix.
type gateCommand struct {
	Upstream      string `required:"" env:"STEPKEY_GATE_UPSTREAM" help:"stepkey gate: URL of the application, such as http://127.0.0.1:8080. Only the gate should be able to reach it."`
	RemoteHeaders string `name:"remote-headers" env:"STEPKEY_REMOTE_HEADERS" enum:"on,off" default:"off" help:"stepkey gate: whether the application also gets Remote-User (the user's name), -Name, -Email and -Groups: on or off."`
	TLSCert       string `name:"tls-cert" env:"STEPKEY_TLS_CERT" help:"stepkey gate: PEM file with the certificate and its chain. It is read again when it changes. Default: none, and the gate speaks plain HTTP, on localhost or behind a proxy."`
	TLSKey        string `name:"tls-key" env:"STEPKEY_TLS_KEY" help:"stepkey gate: PEM file with the key of STEPKEY_TLS_CERT."`

	ACME      string `name:"acme" env:"STEPKEY_ACME" default:"off" help:"stepkey gate: whether the gate gets certificates for the hosts in RP_ORIGIN by itself: off, on (from Let's Encrypt, whose terms you accept by that), or the https URL of another ACME directory. The hosts must lead to the gate on port 443."`
	ACMEEmail string `name:"acme-email" env:"STEPKEY_ACME_EMAIL" help:"stepkey gate: address for messages of the authority about the certificates. Default: none."`

	settings
}

// Run serves until ctx is done, as serveCommand's does.
func (c *gateCommand) Run(ctx context.Context, out output) error {
	log, finishLog := c.logger(out)
	defer finishLog()
	acme, err := c.acme(log)
	if err != nil {
		return err
	}
	certificate, err := c.certificate(log)
	if err != nil {
		return err
	}
	upstream, err := url.Parse(c.Upstream)
	if err != nil {
		return errors.New("STEPKEY_GATE_UPSTREAM is not a URL: write it like http://127.0.0.1:8080")
	}
	file, err := c.gateRules(log)
	if err != nil {
		return err
	}
	if c.PublicURL == "" {
		c.PublicURL = c.origins()[0] + gate.PagesPrefix
	}
	clientIP, err := c.clientIP()
	if err != nil {
		return err
	}
	if c.MaxConnections == 0 {
		// Each has one to the application as well, and half as many sockets come on top.
		c.MaxConnections = min(httpapi.DefaultMaxConnections, openFiles()/4)
	}
	a, err := c.assemble(ctx, log, file)
	if err != nil {
		return err
	}
	defer a.close()
	options, err := c.gateOptions(file, a.service)
	if err != nil {
		return err
	}
	proxy, err := gate.NewProxy(gate.ProxyOptions{
		Options: options, Upstream: upstream, Pages: pagesOfGate(a.handler),
		ClientIP: clientIP, RemoteHeaders: c.RemoteHeaders == "on", MaxSockets: c.maxConnections() / 2,
	})
	if err != nil {
		return err
	}
	defer proxy.Close()
	file.follow(ctx)
	server := c.server(proxy, log)
	server.MaxHeaderBytes = gateHeaders
	server.DisableGeneralOptionsHandler = true
	server.RegisterOnShutdown(func() { time.AfterFunc(streamGrace, proxy.Close) })
	switch {
	case certificate != nil:
		speakTLS(server, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.get})
	case acme != nil:
		defer acme.stop()
		speakTLS(server, acme.config())
	}
	return c.run(ctx, a, server, func(described string) {
		fmt.Fprintf(out.stdout, "The gate is ready at %s, in front of %s; Stepkey is at %s%s/ (%s)\n",
			c.origins()[0], upstream.Redacted(), c.origins()[0], gate.PagesPrefix, described)
		if acme != nil {
			acme.begin(ctx, log)
		}
	})
}

// pagesOfGate serves the service below gate.PagesPrefix.
func pagesOfGate(service http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(keysPath, keysOf(service))
	mux.Handle("/", http.StripPrefix(gate.PagesPrefix, service))
	return mux
}

// speakTLS makes the server speak TLS, and HTTP/2 to those that can.
func speakTLS(server *http.Server, config *tls.Config) {
	server.TLSConfig = config
	server.Protocols.SetHTTP2(true)
	server.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: 100, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: 30 * time.Second,
	}
}

// certificate returns nil without an error if the gate speaks plain HTTP.
func (c *gateCommand) certificate(log *slog.Logger) (*certificateFiles, error) {
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
		if anyHTTPS(c.origins()) && len(c.TrustedProxies) == 0 && c.ACME == "off" {
			return nil, errors.New("an origin in RP_ORIGIN is https, and the gate would not know that a request came by it: " +
				"set STEPKEY_ACME, STEPKEY_TLS_CERT and STEPKEY_TLS_KEY, or STEPKEY_TRUSTED_PROXIES with the address of the proxy that speaks TLS")
		}
		return nil, nil
	case c.TLSCert == "" || c.TLSKey == "":
		return nil, errors.New("STEPKEY_TLS_CERT and STEPKEY_TLS_KEY belong together: set both or none")
	}
	return openCertificate(c.TLSCert, c.TLSKey, log)
}

// gateRules opens the file of rules. Without one, all of the application is for signed-in
// users.
func (c *gateCommand) gateRules(log *slog.Logger) (*ruleFile, error) {
	if c.Rules != "" {
		return c.loadRules(log)
	}
	var text strings.Builder
	for _, origin := range slices.Compact(slices.Sorted(slices.Values(c.origins()))) {
		if strings.HasPrefix(origin, "http") {
			fmt.Fprintf(&text, "[[app]]\norigin = %q\nrules = [\"password * /**\"]\n", origin)
		}
	}
	file, err := rules.Parse([]byte(text.String()), time.Now())
	if err != nil {
		return nil, fmt.Errorf("RP_ORIGIN: %w", err)
	}
	f := &ruleFile{log: log}
	f.current.Store(file)
	return f, nil
}

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// acmeCertificates gets and renews certificates for the hosts of the gate (RFC 8555). The
// challenge is TLS-ALPN-01 (RFC 8737), which needs no other port than the gate's.
type acmeCertificates struct {
	magic *certmagic.Config
	cache *certmagic.Cache
	hosts []string
}

// acme returns nil without an error if STEPKEY_ACME is off.
func (c *gateCommand) acme(log *slog.Logger) (*acmeCertificates, error) {
	if c.ACME == "off" {
		return nil, nil
	}
	if c.TLSCert != "" || c.TLSKey != "" {
		return nil, errors.New("STEPKEY_ACME is set beside STEPKEY_TLS_CERT or STEPKEY_TLS_KEY: use one or the other")
	}
	directory := certmagic.LetsEncryptProductionCA
	if c.ACME != "on" {
		u, err := url.Parse(c.ACME)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, errors.New("STEPKEY_ACME is not off, on or the https URL of an ACME directory")
		}
		directory = c.ACME
	}
	a := &acmeCertificates{}
	for _, origin := range c.origins() {
		if u, err := url.Parse(origin); err == nil && u.Scheme == "https" && !slices.Contains(a.hosts, u.Hostname()) {
			a.hosts = append(a.hosts, u.Hostname())
		}
	}
	if len(a.hosts) == 0 {
		return nil, errors.New("STEPKEY_ACME is set, and no origin in RP_ORIGIN is https: list the gate's origins there, such as https://app.example.com")
	}
	quiet := zap.NewNop() // what matters comes as events
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.magic, nil }, Logger: quiet,
	})
	a.magic = certmagic.New(a.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: filepath.Join(c.Data, "certificates")}, Logger: quiet, OnEvent: logCertificates(log),
	})
	a.magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(a.magic, certmagic.ACMEIssuer{
		CA: directory, Email: c.ACMEEmail, Agreed: true, DisableHTTPChallenge: true, ListenHost: c.Host, AltTLSALPNPort: c.Port, Logger: quiet,
	})}
	return a, nil
}

// logCertificates writes what happens to certificates.
func logCertificates(log *slog.Logger) func(context.Context, string, map[string]any) error {
	return func(ctx context.Context, event string, data map[string]any) error {
		host := slog.String("host", fmt.Sprint(data["identifier"]))
		switch event {
		case "cert_obtained":
			log.LogAttrs(ctx, slog.LevelInfo, "There is a new certificate", host)
		case "cert_failed":
			log.LogAttrs(ctx, slog.LevelError, "There is no new certificate, and it will be tried again: the authority has to reach this host on port 443",
				host, slog.String("error", fmt.Sprint(data["error"])))
		}
		return nil
	}
}

func (a *acmeCertificates) config() *tls.Config {
	config := a.magic.TLSConfig()
	config.MinVersion = tls.VersionTLS12
	return config
}

// begin gets the certificates that are missing, and renews them until ctx is done. The gate
// must be listening: the authority connects to it.
func (a *acmeCertificates) begin(ctx context.Context, log *slog.Logger) {
	if err := a.magic.ManageAsync(ctx, a.hosts); err != nil {
		log.ErrorContext(ctx, "Certificates are not looked after", "error", err)
	}
}

func (a *acmeCertificates) stop() { a.cache.Stop() }

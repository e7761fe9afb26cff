package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/stepkey/stepkey/gate"
)

// healthcheckCommand is for containers without a shell.
type healthcheckCommand struct {
	Port int    `env:"PORT" default:"3000" help:"Port that the service listens on."`
	Host string `env:"STEPKEY_HOST" default:"localhost" help:"Address that the service listens on."`

	TLSCert string `name:"tls-cert" env:"STEPKEY_TLS_CERT" help:"That of stepkey gate, which then speaks TLS."`
	ACME    string `name:"acme" env:"STEPKEY_ACME" default:"off" help:"That of stepkey gate, which then speaks TLS."`

	Timeout time.Duration `name:"request-timeout" env:"STEPKEY_REQUEST_TIMEOUT" default:"5s" help:"Longest time to wait for the answer."`
}

// Run requests /livez of the service, and then of the gate.
func (c *healthcheckCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	host := c.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		// An empty container may have no /etc/hosts to resolve localhost.
		host = "127.0.0.1"
	}
	scheme, client := "http", http.DefaultClient
	if c.TLSCert != "" || c.ACME != "off" {
		// The certificate is for another name, and nothing secret is sent.
		scheme, client = "https", &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	}
	address := scheme + "://" + net.JoinHostPort(host, strconv.Itoa(c.Port))
	if err := alive(ctx, client, address+"/livez"); err == nil {
		return nil
	}
	return alive(ctx, client, address+gate.PagesPrefix+"/livez")
}

func alive(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("not alive: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not alive: status %d", response.StatusCode)
	}
	return nil
}

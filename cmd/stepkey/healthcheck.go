package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// healthcheckCommand is for containers without a shell.
type healthcheckCommand struct {
	Port int    `env:"PORT" default:"3000" help:"Port that the service listens on."`
	Host string `env:"STEPKEY_HOST" default:"localhost" help:"Address that the service listens on."`

	Timeout time.Duration `name:"request-timeout" env:"STEPKEY_REQUEST_TIMEOUT" default:"5s" help:"Longest time to wait for the answer."`
}

// Run requests /livez.
func (c *healthcheckCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	host := c.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		// An empty container may have no /etc/hosts to resolve localhost.
		host = "127.0.0.1"
	}
	address := "http://" + net.JoinHostPort(host, strconv.Itoa(c.Port)) + "/livez"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("not alive: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not alive: status %d", response.StatusCode)
	}
	return nil
}

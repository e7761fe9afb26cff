package main

import (
	"fmt"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/hibp"
)

// breaches returns the configured lookup of passwords from data breaches, or nil if
// it is off.
func (s settings) breaches() (stepkey.Breaches, error) {
	url := s.Breached
	switch url {
	case "", "off":
		return nil, nil
	case "on":
		url = hibp.PublicURL
	}
	client, err := hibp.New(url)
	if err != nil {
		return nil, fmt.Errorf("STEPKEY_BREACHED_PASSWORDS is not off, on or the URL of a mirror: %w", err)
	}
	return client, nil
}

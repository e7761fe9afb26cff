package main

import (
	"fmt"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/hibp"
)

// breaches is who knows passwords from data breaches, or nil where nobody is asked.
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
		return nil, fmt.Errorf("STEPKEY_BREACHED_PASSWORDS is neither off, on nor the URL of a mirror: %w", err)
	}
	return client, nil
}

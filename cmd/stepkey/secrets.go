package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/token"
)

// errNotRandom is the error for a secret without entropy.
const errNotRandom = "%s can be guessed from its pattern: make a random one with openssl rand -base64 32"

// checkSecrets refuses a weak introspection secret, and one secret for two purposes: a service that gets it
// for one purpose could use it for the other. root is the configured root secret or the one in the data
// folder. [stepkey.New] checks the other secrets.
func (s settings) checkSecrets(root string) error {
	if n := len(s.Introspection); n > 0 && n < token.MinSecretBytes {
		return fmt.Errorf("STEPKEY_INTROSPECTION_SECRET has %d bytes: use at least %d random ones (openssl rand -base64 32)",
			n, token.MinSecretBytes)
	}
	if s.Introspection != "" && secret.CheckPredictable([]byte(s.Introspection)) != nil {
		return fmt.Errorf(errNotRandom, "STEPKEY_INTROSPECTION_SECRET")
	}
	type purpose struct {
		name  string
		value string
	}
	own := []purpose{
		{"STEPKEY_SECRET", root},
		{"STEPKEY_INTROSPECTION_SECRET", s.Introspection.Reveal()},
		{"JWT_SECRET", s.JWTSecret.Reveal()},
	}
	others := []purpose{
		{"DB_PASSWORD", s.DBPassword.Reveal()},
		{"the password in DATABASE_URL", passwordIn(s.DatabaseURL)},
		{"the password in REDIS_URL", passwordIn(s.RedisURL)},
		{"the password in SMTP_URL", passwordIn(s.SMTPURL)},
	}
	for _, previous := range s.JWTSecretPrevious {
		others = append(others, purpose{"JWT_SECRET_PREVIOUS", previous.Reveal()})
	}
	var faults []error
	for i, one := range own {
		for _, other := range slices.Concat(own[i+1:], others) {
			// JWT_SECRET and JWT_SECRET_PREVIOUS have the same purpose.
			if secret.Same(one.value, other.value) && (one.name != "JWT_SECRET" || other.name != "JWT_SECRET_PREVIOUS") {
				faults = append(faults, fmt.Errorf("%s is the same as %s: make one for each with openssl rand -base64 32", one.name, other.name))
			}
		}
	}
	return errors.Join(faults...)
}

// passwordIn returns the password in a URL, or an empty string if the URL is malformed, which another
// check reports.
func passwordIn(text secret.Text) string {
	u, err := url.Parse(text.Reveal())
	if err != nil {
		return ""
	}
	password, _ := u.User.Password()
	return password
}

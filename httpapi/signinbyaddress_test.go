package httpapi

import (
	"testing"

	"github.com/stepkey/stepkey"
)

// Where people sign in by address, no new name looks like one. Elsewhere a name may.
func TestSignUpWithAnAddressAsName(t *testing.T) {
	const body = `{"username":"mira@example.com","password":"correct horse battery"}`
	on := newHandler(newServiceWith(t, func(c *stepkey.Config) { c.SignInByAddress = true }), Options{})
	wantStatus(t, "on", send(on, "POST", "/auth/signup", body), 400, "username_reserved")
	wantStatus(t, "unknown address", send(on, "POST", "/auth/login", body), 401, "unauthorized")
	wantStatus(t, "off", send(newHandler(newService(t), Options{}), "POST", "/auth/signup", body), 201, "")
}

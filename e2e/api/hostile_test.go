package api_test

import (
	"crypto/sha256"
	"net/http"
	"testing"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// Responses that are well formed and say something else than they should. The
// package that verifies them has the long list; here the whole server has to
// refuse the ones that attacks are made of, with one answer.
func TestHostileResponses(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		password := c.signedIn()
		device := c.enrol(password)
		full := c.stepUp(password, device)
		member := func(name string, value any) authenticator.Hostile {
			return authenticator.Hostile{ClientData: func(members map[string]any) { members[name] = value }}
		}
		data := func(change func(*authenticator.AuthenticatorData)) authenticator.Hostile {
			return authenticator.Hostile{AuthenticatorData: change}
		}
		for _, tt := range []struct {
			name    string
			hostile authenticator.Hostile
		}{
			{"another origin", member("origin", "https://localhost.example")},
			{"a subdomain", member("origin", "http://evil.localhost:"+s.port)},
			{"another port", member("origin", "http://localhost:1")},
			{"another scheme", member("origin", "https://localhost:"+s.port)},
			{"the origin in capitals", member("origin", "HTTP://LOCALHOST:"+s.port)},
			{"the origin with a slash", member("origin", s.origin+"/")},
			{"null", member("origin", "null")},
			{"no origin", member("origin", "")},
			{"in a frame of another origin", member("crossOrigin", true)},
			{"below another origin", member("topOrigin", "https://localhost.example")},
			{"another type", member("type", "payment.get")},
			{"another relying party", data(func(d *authenticator.AuthenticatorData) { d.RPIDHash = sha256.Sum256([]byte("localhost.example")) })},
			{"nobody present", data(func(d *authenticator.AuthenticatorData) { d.Flags &^= authenticator.FlagUP })},
			{"user not verified", data(func(d *authenticator.AuthenticatorData) { d.Flags &^= authenticator.FlagUV })},
			{"backed up but not eligible", data(func(d *authenticator.AuthenticatorData) { d.Flags |= authenticator.FlagBS })},
		} {
			t.Run("assertion, "+tt.name, func(t *testing.T) {
				response := must(t)(device.GetWith(s.origin, c.stepUpOptions(full), tt.hostile))
				c.finishStepUp(full, response).wantProblem(t, 401, "verification_failed")
			})
			t.Run("registration, "+tt.name, func(t *testing.T) {
				response := must(t)(newDevice().CreateWith(s.origin, c.registerOptions(full), tt.hostile))
				c.finishRegistration(full, response).wantProblem(t, 401, "verification_failed")
			})
		}
		// Password managers do that, and it is no attack.
		t.Run("assertion, eligible all of a sudden", func(t *testing.T) {
			hostile := data(func(d *authenticator.AuthenticatorData) { d.Flags |= authenticator.FlagBE })
			response := must(t)(device.GetWith(s.origin, c.stepUpOptions(full), hostile))
			c.finishStepUp(full, response).want(t, http.StatusCreated)
			var list struct {
				Passkeys []struct{ BackupEligible bool }
			}
			c.do("GET", "/passkeys", nil, bearer(full)).want(t, http.StatusOK).decode(t, &list)
			if len(list.Passkeys) != 1 || !list.Passkeys[0].BackupEligible {
				t.Errorf("%+v, want one that is eligible", list.Passkeys)
			}
		})
		t.Run("nothing of it changed the account", func(t *testing.T) {
			var options struct{ AllowCredentials []any }
			answer{body: c.stepUpOptions(full)}.decode(t, &options)
			if len(options.AllowCredentials) != 1 {
				t.Errorf("%d passkeys, want 1", len(options.AllowCredentials))
			}
		})
	})
}

// A counter that does not grow is the sign of a copied key.
func TestSignatureCounter(t *testing.T) { // A28
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		token := c.signedIn()
		device := authenticator.New(authenticator.Config{CounterStep: 1})
		c.finishRegistration(token, c.create(device, c.registerOptions(token))).want(t, http.StatusCreated)
		at := func(count uint32) answer {
			hostile := authenticator.Hostile{AuthenticatorData: func(d *authenticator.AuthenticatorData) { d.SignCount = count }}
			return c.finishStepUp(token, must(t)(device.GetWith(s.origin, c.stepUpOptions(token), hostile)))
		}
		at(5).want(t, http.StatusCreated)
		at(5).wantProblem(t, 401, "verification_failed")
		at(4).wantProblem(t, 401, "verification_failed")
		at(0).wantProblem(t, 401, "verification_failed")
		at(6).want(t, http.StatusCreated)
	})
}

// Several copies of a key that count alike, answering at once: one is taken for
// the owner, and the others show that there are copies.
func TestOneOfManyEqualCountersWins(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		c := newClient(t, s)
		token := c.signedIn()
		device := authenticator.New(authenticator.Config{CounterStep: 1})
		c.finishRegistration(token, c.create(device, c.registerOptions(token))).want(t, http.StatusCreated)
		const copies = 5
		for round := range 5 {
			hostile := authenticator.Hostile{AuthenticatorData: func(d *authenticator.AuthenticatorData) {
				d.SignCount = uint32(10 * (round + 1))
			}}
			var responses [copies][]byte
			for i := range responses {
				responses[i] = must(t)(device.GetWith(s.origin, c.stepUpOptions(token), hostile))
			}
			outcomes := atOnce(t, copies, func(i int) (answer, error) {
				return c.try("POST", "/passkeys/authenticate/verify", responses[i], bearer(token))
			})
			wantOutcomes(t, outcomes, map[outcome]int{
				{http.StatusCreated, ""}: 1, {http.StatusUnauthorized, "verification_failed"}: copies - 1,
			})
		}
	})
}

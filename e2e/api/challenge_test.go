package api_test

import (
	"net/http"
	"testing"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// The life of a challenge, in registrations and in step-ups: it belongs to one
// user, one session and one kind of ceremony, and answers once, whatever comes
// of it.
func TestChallenges(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		for _, tt := range []struct {
			name string
			test func(*testing.T, *client)
		}{
			{"registration without options", registrationWithoutOptions},
			{"registration replayed", registrationReplayed},
			{"registration that failed burns the challenge", registrationBurned},
			{"registration in two tabs", registrationInTwoTabs},
			{"registration with the challenge of another user", registrationOfAnotherUser},
			{"registration with the challenge of another session", registrationOfAnotherSession},
			{"registration with the challenge of a step-up", registrationWithStepUpChallenge},
			{"registration of a passkey that is there", registrationOfKnownPasskey},
			{"registration of somebody else's passkey", registrationOfForeignPasskey},
			{"registration beside a passkey at level password", registrationAtLevelPassword},
			{"registration of a second passkey at level full", registrationAtLevelFull},
			{"step-up without options", stepUpWithoutOptions},
			{"step-up replayed", stepUpReplayed},
			{"step-up that failed burns the challenge", stepUpBurned},
			{"step-up in two tabs", stepUpInTwoTabs},
			{"step-up with the challenge of another user", stepUpOfAnotherUser},
			{"step-up with the challenge of another session", stepUpOfAnotherSession},
			{"step-up with the challenge of a registration", stepUpWithRegistrationChallenge},
			{"five challenges at most", fiveChallenges},
			{"HEAD uses up nothing", headUsesUpNothing},
		} {
			t.Run(tt.name, func(t *testing.T) { tt.test(t, newClient(t, s)) })
		}
	})
}

// spoil breaks what is signed, and nothing else.
var spoil = authenticator.Hostile{
	Sign: func(message []byte, sign func([]byte) []byte) []byte {
		return sign(append([]byte("not "), message...))
	},
}

// strangeOrigin makes a response that is well formed and from elsewhere.
var strangeOrigin = authenticator.Hostile{
	ClientData: func(members map[string]any) { members["origin"] = "https://localhost.example" },
}

func newDevice() *authenticator.Authenticator { return authenticator.New(authenticator.Config{}) }

// optionsOfNobody are well formed and come from no server.
const optionsOfNobody = `{"challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	"rp":{"id":"localhost","name":"Stepkey"},"user":{"id":"AAAA","name":"a","displayName":"a"},
	"pubKeyCredParams":[{"alg":-7,"type":"public-key"}]}`

func registrationWithoutOptions(t *testing.T, c *client) { // R68
	response := c.create(newDevice(), []byte(optionsOfNobody))
	c.finishRegistration(c.signedIn(), response).wantProblem(t, 400, "challenge_expired")
}

func registrationReplayed(t *testing.T, c *client) { // R69
	token := c.signedIn()
	response := c.create(newDevice(), c.registerOptions(token))
	c.finishRegistration(token, response).want(t, http.StatusCreated)
	c.finishRegistration(token, response).wantProblem(t, 400, "challenge_expired")
}

func registrationBurned(t *testing.T, c *client) { // R71
	token, device := c.signedIn(), newDevice()
	options := c.registerOptions(token)
	bad := must(t)(device.CreateWith(c.origin, options, strangeOrigin))
	c.finishRegistration(token, bad).wantProblem(t, 401, "verification_failed")
	c.finishRegistration(token, c.create(newDevice(), options)).wantProblem(t, 400, "challenge_expired")
	c.do("POST", "/passkeys/authenticate/options", nil, bearer(token)).wantProblem(t, 400, "no_passkeys")
}

// Both tabs get their passkey; the second one after a step-up, because by then
// there is one.
func registrationInTwoTabs(t *testing.T, c *client) { // R73
	password := c.signedIn()
	first := c.enrol(password)
	full := c.stepUp(password, first)
	a, b := c.registerOptions(full), c.registerOptions(full)
	c.finishRegistration(full, c.create(newDevice(), a)).want(t, http.StatusCreated)
	c.finishRegistration(full, c.create(newDevice(), b)).want(t, http.StatusCreated)
}

func registrationOfAnotherUser(t *testing.T, c *client) { // R77
	mine, theirs := c.signedIn(), c.signedIn()
	response := c.create(newDevice(), c.registerOptions(theirs))
	c.finishRegistration(mine, response).wantProblem(t, 400, "challenge_expired")
	// It was not theirs to use up.
	c.finishRegistration(theirs, response).want(t, http.StatusCreated)
}

func registrationOfAnotherSession(t *testing.T, c *client) { // R78
	username := c.newUser()
	first, second := c.logIn(username), c.logIn(username)
	response := c.create(newDevice(), c.registerOptions(first))
	c.finishRegistration(second, response).wantProblem(t, 400, "challenge_expired")
	c.finishRegistration(first, response).want(t, http.StatusCreated)
}

func registrationWithStepUpChallenge(t *testing.T, c *client) {
	password := c.signedIn()
	full := c.stepUp(password, c.enrol(password))
	var options struct{ Challenge string }
	answer{body: c.stepUpOptions(full)}.decode(t, &options)
	creation := with(t, []byte(optionsOfNobody), func(m map[string]any) { m["challenge"] = options.Challenge })
	c.finishRegistration(full, c.create(newDevice(), creation)).wantProblem(t, 400, "challenge_expired")
}

func registrationOfKnownPasskey(t *testing.T, c *client) { // R74
	password := c.signedIn()
	device := c.enrol(password)
	full := c.stepUp(password, device)
	c.finishRegistration(full, c.createAgain(newDevice(), c.registerOptions(full), device)).
		wantProblem(t, 409, "passkey_exists")
}

// The victim's credential id is no secret to a malicious relying party, and with
// attestation none nothing shows whose key it is. It stays the victim's.
func registrationOfForeignPasskey(t *testing.T, c *client) { // R74
	victim := c.signedIn()
	device := c.enrol(victim)
	attacker := c.signedIn()
	c.finishRegistration(attacker, c.createAgain(newDevice(), c.registerOptions(attacker), device)).
		wantProblem(t, 409, "passkey_exists")
	c.stepUp(victim, device)
}

// createAgain makes a registration with the credential id that owner has.
func (c *client) createAgain(device *authenticator.Authenticator, options []byte, owner *authenticator.Authenticator) []byte {
	c.t.Helper()
	id := owner.CredentialIDs()[0]
	return must(c.t)(device.CreateWith(c.origin, options, authenticator.Hostile{
		AuthenticatorData: func(d *authenticator.AuthenticatorData) { d.CredentialID = id },
		Response: func(members map[string]any) {
			members["id"], members["rawId"] = encode(id), encode(id)
		},
	}))
}

// Who knows only the password must not get to level full by adding a passkey:
// neither with new options nor with options from before there was one.
func registrationAtLevelPassword(t *testing.T, c *client) { // R76
	token := c.signedIn()
	early := c.registerOptions(token)
	c.enrol(token)

	const challenge = `Bearer error="insufficient_user_authentication", acr_values="full", max_age=300`
	options := c.do("POST", "/passkeys/register/options", nil, bearer(token)).wantProblem(t, 403, "step_up_required")
	wantStepUp(t, options, challenge)
	byGet := c.do("GET", "/passkeys/register/options", nil, bearer(token)).wantProblem(t, 403, "step_up_required")
	wantStepUp(t, byGet, challenge)
	verify := c.finishRegistration(token, c.create(newDevice(), early)).wantProblem(t, 403, "step_up_required")
	wantStepUp(t, verify, challenge)

	var allowed struct{ AllowCredentials []any }
	answer{body: c.stepUpOptions(token)}.decode(t, &allowed)
	if len(allowed.AllowCredentials) != 1 {
		t.Errorf("%d passkeys, want 1", len(allowed.AllowCredentials))
	}
}

// A session that stepped up does not lend its level to an older token of it.
func registrationAtLevelFull(t *testing.T, c *client) {
	password := c.signedIn()
	first := c.enrol(password)
	full := c.stepUp(password, first)
	c.do("POST", "/passkeys/register/options", nil, bearer(password)).wantProblem(t, 403, "step_up_required")
	second := c.enrol(full)
	c.stepUp(password, second)
}

func stepUpWithoutOptions(t *testing.T, c *client) { // A37
	token := c.signedIn()
	device := c.enrol(token)
	options := with(t, []byte(optionsOfNobody), func(m map[string]any) { m["rpId"] = "localhost" })
	c.finishStepUp(token, c.get(device, options)).wantProblem(t, 400, "challenge_expired")
}

func stepUpReplayed(t *testing.T, c *client) { // A30
	token := c.signedIn()
	response := c.get(c.enrol(token), c.stepUpOptions(token))
	c.finishStepUp(token, response).accessToken(t)
	c.finishStepUp(token, response).wantProblem(t, 400, "challenge_expired")
}

func stepUpBurned(t *testing.T, c *client) { // A31
	token := c.signedIn()
	device := c.enrol(token)
	options := c.stepUpOptions(token)
	bad := must(t)(device.GetWith(c.origin, options, spoil))
	c.finishStepUp(token, bad).wantProblem(t, 401, "verification_failed")
	c.finishStepUp(token, c.get(device, options)).wantProblem(t, 400, "challenge_expired")
}

func stepUpInTwoTabs(t *testing.T, c *client) { // A33
	token := c.signedIn()
	device := c.enrol(token)
	a, b := c.stepUpOptions(token), c.stepUpOptions(token)
	c.finishStepUp(token, c.get(device, a)).accessToken(t)
	c.finishStepUp(token, c.get(device, b)).accessToken(t)
}

func stepUpOfAnotherUser(t *testing.T, c *client) { // A35
	mine, theirs := c.signedIn(), c.signedIn()
	c.enrol(mine)
	response := c.get(c.enrol(theirs), c.stepUpOptions(theirs))
	c.finishStepUp(mine, response).wantProblem(t, 400, "challenge_expired")
	c.finishStepUp(theirs, response).accessToken(t)
}

func stepUpOfAnotherSession(t *testing.T, c *client) { // R78, for assertions
	username := c.newUser()
	first, second := c.logIn(username), c.logIn(username)
	response := c.get(c.enrol(first), c.stepUpOptions(first))
	c.finishStepUp(second, response).wantProblem(t, 400, "challenge_expired")
	c.finishStepUp(first, response).accessToken(t)
}

func stepUpWithRegistrationChallenge(t *testing.T, c *client) { // A07
	password := c.signedIn()
	device := c.enrol(password)
	full := c.stepUp(password, device)
	var options struct{ Challenge string }
	answer{body: c.registerOptions(full)}.decode(t, &options)
	request := with(t, []byte(optionsOfNobody), func(m map[string]any) {
		m["challenge"], m["rpId"] = options.Challenge, "localhost"
	})
	c.finishStepUp(full, c.get(device, request)).wantProblem(t, 400, "challenge_expired")
}

// The sixth challenge of a session takes the place of the oldest.
func fiveChallenges(t *testing.T, c *client) {
	token := c.signedIn()
	device := c.enrol(token)
	var options [6][]byte
	for i := range options {
		options[i] = c.stepUpOptions(token)
	}
	c.finishStepUp(token, c.get(device, options[0])).wantProblem(t, 400, "challenge_expired")
	for _, kept := range options[1:] {
		c.finishStepUp(token, c.get(device, kept)).accessToken(t)
	}
}

// A prefetch asks with HEAD. It must not push out challenges that people are
// about to answer.
func headUsesUpNothing(t *testing.T, c *client) {
	token := c.signedIn()
	device := c.enrol(token)
	options := c.stepUpOptions(token)
	for _, path := range []string{"/passkeys/register/options", "/passkeys/authenticate/options", "/passkeys/auth/options"} {
		for range 5 {
			a := c.do("HEAD", path, nil, bearer(token)).want(t, http.StatusMethodNotAllowed)
			if got := a.header.Get("Allow"); got != "GET, POST" {
				t.Errorf("Allow %q, want GET, POST", got)
			}
		}
	}
	c.finishStepUp(token, c.get(device, options)).accessToken(t)
}

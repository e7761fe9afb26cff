package api_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// spelling is one of the two ways to write the paths of the original: as its
// README has them, and as its code has them.
type spelling struct {
	name                            string
	logIn, stepUpOptions, stepUpEnd string
	optionsMethod                   string
}

var spellings = []spelling{
	{"README", "/auth/login", "/passkeys/authenticate/options", "/passkeys/authenticate/verify", "POST"},
	{"README, options by GET", "/auth/login", "/passkeys/authenticate/options", "/passkeys/authenticate/verify", "GET"},
	{"code", "/auth/signin", "/passkeys/auth/options", "/passkeys/auth/verify", "GET"},
	{"code, options by POST", "/auth/signin", "/passkeys/auth/options", "/passkeys/auth/verify", "POST"},
}

// TestKeptContract walks the whole path of the original's API and looks at each
// answer: status, texts, members, and that nothing of it is stored.
func TestKeptContract(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s *server) {
		for _, sp := range spellings {
			t.Run(sp.name, func(t *testing.T) { testKeptContract(t, newClient(t, s), sp) })
		}
	})
}

func testKeptContract(t *testing.T, c *client, sp spelling) {
	username := newName()
	device := authenticator.New(authenticator.Config{Transports: []string{"internal", "hybrid"}})

	signUp := c.do("POST", "/auth/signup", credentials(username, testPassword))
	wantJSON(t, signUp, http.StatusCreated, `{"success":true}`)

	again := c.do("POST", "/auth/signup", credentials(strings.ToUpper(username), testPassword))
	wantKeptError(t, again, http.StatusConflict, "Username already exists", "Conflict")

	wrong := c.do("POST", sp.logIn, credentials(username, "not "+testPassword))
	wantKeptError(t, wrong, http.StatusUnauthorized, "Unauthorized", "Unauthorized")

	logIn := c.do("POST", sp.logIn, credentials(username, testPassword))
	password := logIn.accessToken(t)
	wantMembers(t, logIn, "accessToken", "authLevel", "expiresIn", "tokenType")
	wantClaims(t, c, password, username, "password")

	noPasskeys := c.do(sp.optionsMethod, sp.stepUpOptions, nil, bearer(password))
	wantKeptError(t, noPasskeys, http.StatusBadRequest, "No passkeys registered", "Bad Request")

	refused := c.do("GET", "/users/histories", nil, bearer(password))
	wantKeptError(t, refused, http.StatusForbidden, "Passkey verification required", "Forbidden")
	wantStepUp(t, refused, `Bearer error="insufficient_user_authentication", acr_values="full"`)

	creation := c.do(sp.optionsMethod, "/passkeys/register/options", nil, bearer(password)).want(t, http.StatusOK)
	wantCreationOptions(t, creation, username)
	registration := c.create(device, creation.body)
	registered := c.finishRegistration(password, named(t, registration, "Blue phone")).want(t, http.StatusCreated)
	wantMembers(t, registered, "accessToken", "authLevel", "expiresIn", "passkey", "success", "tokenType")
	var passkey struct {
		Success bool
		Passkey struct{ ID, Name string }
	}
	registered.decode(t, &passkey)
	if !passkey.Success || passkey.Passkey.Name != "Blue phone" || passkey.Passkey.ID == "" {
		t.Errorf("registered %+v", passkey)
	}

	used := c.finishRegistration(password, registration)
	wantKeptError(t, used, http.StatusBadRequest, "Challenge expired", "Bad Request")

	request := c.do(sp.optionsMethod, sp.stepUpOptions, nil, bearer(password)).want(t, http.StatusOK)
	wantRequestOptions(t, request, device)
	stepUp := c.do("POST", sp.stepUpEnd, c.get(device, request.body), bearer(password))
	full := stepUp.accessToken(t)
	wantMembers(t, stepUp, "accessToken", "authLevel", "expiresIn", "tokenType")
	wantClaims(t, c, full, username, "full")

	wantJSON(t, c.do("GET", "/users/histories", nil, bearer(full)), http.StatusOK, `{"success":true}`)

	nobody := c.do("GET", "/users/histories", nil)
	wantKeptError(t, nobody, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
	if got := nobody.header.Get("WWW-Authenticate"); got != "Bearer" {
		t.Errorf("WWW-Authenticate %q, want Bearer", got)
	}
}

func wantJSON(t *testing.T, a answer, status int, body string) {
	t.Helper()
	if string(a.body) != body || a.status != status {
		t.Errorf("%d %s, want %d %s", a.status, a.body, status, body)
	}
	wantNotStored(t, a)
}

func wantNotStored(t *testing.T, a answer) {
	t.Helper()
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", got)
	}
}

// wantKeptError checks the members that the original's clients look at.
func wantKeptError(t *testing.T, a answer, status int, message, name string) {
	t.Helper()
	var body struct {
		Message, Error string
		StatusCode     int
	}
	a.want(t, status).decode(t, &body)
	if body.Message != message || body.Error != name || body.StatusCode != status {
		t.Errorf("got %+v, want %q, %q, %d", body, message, name, status)
	}
	wantNotStored(t, a)
}

func wantStepUp(t *testing.T, a answer, challenge string) {
	t.Helper()
	if got := a.header.Get("WWW-Authenticate"); got != challenge {
		t.Errorf("WWW-Authenticate %s, want %s", got, challenge)
	}
	var body struct{ OptionsEndpoint string }
	a.decode(t, &body)
	if body.OptionsEndpoint != "/passkeys/authenticate/options" {
		t.Errorf("optionsEndpoint %q", body.OptionsEndpoint)
	}
}

func wantMembers(t *testing.T, a answer, names ...string) {
	t.Helper()
	var members map[string]json.RawMessage
	a.decode(t, &members)
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(members))); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	wantNotStored(t, a)
}

// wantClaims compares what /users/profile says with the token itself and with
// the contract.
func wantClaims(t *testing.T, c *client, token, username, level string) {
	t.Helper()
	profile := c.do("GET", "/users/profile", nil, bearer(token)).want(t, http.StatusOK)
	names := []string{"acr", "amr", "aud", "auth_time", "authLevel", "exp", "iat", "iss", "jti", "passkeyVerified", "password_time", "sid", "sub", "username"}
	if level == "full" {
		names = append(names, "passkey_time")
		slices.Sort(names)
	}
	slices.Sort(names)
	wantMembers(t, profile, names...)
	var shown map[string]any
	profile.decode(t, &shown)
	if diff := cmp.Diff(claimsOf(t, token), shown); diff != "" {
		t.Errorf("the profile differs from the token (-token +profile):\n%s", diff)
	}
	var claims struct {
		Iss, Sub, Username, AuthLevel, ACR string
		Aud                                string
		PasskeyVerified                    bool
		Iat, Exp                           int64
		AuthTime                           int64 `json:"auth_time"`
		PasswordTime                       int64 `json:"password_time"`
		PasskeyTime                        int64 `json:"passkey_time"`
	}
	profile.decode(t, &claims)
	if claims.Iss != c.origin || claims.Aud != c.origin {
		t.Errorf("iss %q, aud %q, want %q", claims.Iss, claims.Aud, c.origin)
	}
	if claims.Username != username || claims.AuthLevel != level || claims.ACR != level || claims.PasskeyVerified != (level == "full") {
		t.Errorf("claims %+v, want %s at level %s", claims, username, level)
	}
	if claims.Exp-claims.Iat != 900 {
		t.Errorf("the token lives %d s, want 900", claims.Exp-claims.Iat)
	}
	newest := claims.PasswordTime
	if level == "full" {
		newest = claims.PasskeyTime
	}
	now := time.Now().Unix()
	if claims.AuthTime != newest || claims.PasswordTime > now+1 || claims.PasswordTime < now-int64(patience.Long.Seconds()) {
		t.Errorf("times %+v at %d", claims, now)
	}
}

// claimsOf reads a token without checking it.
func claimsOf(t testing.TB, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func wantCreationOptions(t *testing.T, a answer, username string) {
	t.Helper()
	wantNotStored(t, a)
	var options struct {
		Challenge        string
		RP               struct{ ID string }
		User             struct{ ID, Name string }
		PubKeyCredParams []struct{ Alg int }
	}
	a.decode(t, &options)
	if options.RP.ID != "localhost" || options.User.Name != username {
		t.Errorf("options %+v, want localhost and %s", options, username)
	}
	if handle, err := base64.RawURLEncoding.DecodeString(options.User.ID); err != nil || len(handle) != 64 {
		t.Errorf("user handle of %d bytes, %v; want 64", len(handle), err)
	}
	wantChallenge(t, options.Challenge)
	if p := options.PubKeyCredParams; len(p) != 3 || p[0].Alg != -7 {
		t.Errorf("algorithms %v, want three, ES256 first", p)
	}
}

func wantRequestOptions(t *testing.T, a answer, device *authenticator.Authenticator) {
	t.Helper()
	wantNotStored(t, a)
	var options struct {
		Challenge        string
		AllowCredentials []struct {
			ID         string
			Transports []string
		}
	}
	a.decode(t, &options)
	wantChallenge(t, options.Challenge)
	id := base64.RawURLEncoding.EncodeToString(device.CredentialIDs()[0])
	if len(options.AllowCredentials) != 1 || options.AllowCredentials[0].ID != id {
		t.Fatalf("allowCredentials %+v, want %s", options.AllowCredentials, id)
	}
	if diff := cmp.Diff([]string{"internal", "hybrid"}, options.AllowCredentials[0].Transports); diff != "" {
		t.Errorf("transports: %s", diff)
	}
}

func wantChallenge(t *testing.T, challenge string) {
	t.Helper()
	if raw, err := base64.RawURLEncoding.DecodeString(challenge); err != nil || len(raw) != 32 {
		t.Errorf("challenge of %d bytes, %v; want 32", len(raw), err)
	}
}

// named adds the member deviceName to a registration.
func named(t *testing.T, registration []byte, name any) []byte {
	t.Helper()
	return with(t, registration, func(members map[string]any) { members["deviceName"] = name })
}

// with returns a JSON object edited.
func with(t testing.TB, object []byte, edit func(map[string]any)) []byte {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(object, &members); err != nil {
		t.Fatal(err)
	}
	edit(members)
	return must(t)(json.Marshal(members))
}

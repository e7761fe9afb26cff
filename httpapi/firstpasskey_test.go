package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// The answer about a first passkey carries what the original's has, and tokens at level full.
func TestFirstPasskeyAnswersWithTokens(t *testing.T) {
	f := &refusals{T: t, Handler: newHandler(newService(t), Options{}), device: authenticator.New(authenticator.Config{})}
	send(f, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
	password := tokensOf(t, logInWith(f, "cookie", "Origin", page)).AccessToken
	f.bearer = "Bearer " + password
	add := func() (answer map[string]any, cookies int) {
		t.Helper()
		r := send(f, "POST", "/passkeys/register/verify", f.create(other(), authenticator.Hostile{}), "Authorization", f.bearer)
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || r.StatusCode != 201 || answer["success"] != true || answer["passkey"] == nil {
			t.Fatalf("%d %v, %v", r.StatusCode, answer, err)
		}
		return answer, len(r.Cookies())
	}
	first, cookies := add()
	token, _ := first["accessToken"].(string)
	if first["authLevel"] != "full" || first["tokenType"] != "Bearer" || first["expiresIn"] == nil || first["refreshToken"] != nil || cookies != 1 {
		t.Errorf("first passkey: %v, %d cookies", first, cookies)
	}
	wantStatus(t, "protected with the new token", send(f, "GET", "/users/histories", "", "Authorization", "Bearer "+token), 200, "")
	wantStatus(t, "protected with the old one", send(f, "GET", "/users/histories", "", "Authorization", f.bearer), 403, "step_up_required")
	f.bearer = "Bearer " + token
	if further, cookies := add(); len(further) != 2 || cookies != 0 {
		t.Errorf("further passkey: %v, %d cookies", further, cookies)
	}
}

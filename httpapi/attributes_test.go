package httpapi

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stepkey/stepkey"
)

// Introspection and the export have the groups and claims of the user.
func TestAttributesInAnswers(t *testing.T) {
	service := newServiceWith(t, func(c *stepkey.Config) { c.OwnClaims = []string{"department"} })
	h := newHandler(service, Options{IntrospectionSecret: "introspection secret of 32 bytes"})
	send(h, "POST", "/auth/signup", `{"username":"mira","password":"correct horse battery"}`)
	u, err := service.Admin().FindUser(t.Context(), "mira")
	if err != nil {
		t.Fatal(err)
	}
	signIn := func() string {
		return tokensOf(t, send(h, "POST", "/auth/login", `{"username":"mira","password":"correct horse battery"}`)).AccessToken
	}
	before := signIn()
	_, err1 := service.Admin().ChangeGroups(t.Context(), u.ID, []string{"ops"}, nil)
	_, err2 := service.Admin().ChangeClaims(t.Context(), u.ID, map[string]string{"department": "R&D"})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	wantStatus(t, "a token from before", send(h, "GET", "/users/profile", "", "Authorization", "Bearer "+before), 401, "unauthorized")
	now := signIn()
	answer := send(h, "POST", "/auth/introspect", form("token", now), "Content-Type", "application/x-www-form-urlencoded",
		"Authorization", "Bearer introspection secret of 32 bytes")
	var live struct {
		Active     bool
		TokenType  string `json:"token_type"`
		Sub        string
		Groups     []string
		Department string
	}
	if err := json.NewDecoder(answer.Body).Decode(&live); err != nil || !live.Active || live.TokenType != "Bearer" ||
		live.Sub != u.ID.String() || !slices.Equal(live.Groups, []string{"ops"}) || live.Department != "R&D" {
		t.Errorf("introspected: %+v, %v", live, err)
	}
	exported, _ := io.ReadAll(send(h, "GET", "/account/export", "", "Authorization", "Bearer "+now).Body)
	if !strings.Contains(string(exported), `"groups":["ops"],"claims":{"department":"R&D"}`) {
		t.Errorf("exported: %s", exported)
	}
}

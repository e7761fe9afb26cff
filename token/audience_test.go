package token_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/token"
)

func TestAudienceJSON(t *testing.T) {
	for _, test := range []struct {
		audience token.Audience
		want     string
	}{
		{token.Audience{"a"}, `"a"`},
		{token.Audience{"a", "b"}, `["a","b"]`},
	} {
		text, err := json.Marshal(test.audience)
		if err != nil || string(text) != test.want {
			t.Errorf("%q is encoded as %s, %v; want %s", test.audience, text, err, test.want)
		}
		var back token.Audience
		if err := json.Unmarshal(text, &back); err != nil || !slices.Equal(back, test.audience) {
			t.Errorf("%s is decoded as %q, %v", text, back, err)
		}
	}
	var one token.Audience
	if err := json.Unmarshal([]byte(`["a"]`), &one); err != nil || !slices.Equal(one, token.Audience{"a"}) {
		t.Errorf("an array of one is decoded as %q, %v", one, err)
	}
	for _, text := range []string{`7`, `{}`, `["a",7]`} {
		if err := json.Unmarshal([]byte(text), &one); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}

// Many libraries read aud only as a string.
func TestSingleAudienceIsAString(t *testing.T) {
	key, _ := ecdsaKey(t)
	signer := token.NewSigner(token.NewKeyring(key))
	access, err1 := signer.Sign(claims())
	action, err2 := signer.SignAction(actionClaims())
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for what, raw := range map[string]string{"access token": access, "action token": action} {
		var payload map[string]any
		if err := json.Unmarshal(unb64(t, strings.Split(raw, ".")[1]), &payload); err != nil {
			t.Fatal(err)
		}
		if payload["aud"] != issuer {
			t.Errorf("%s: aud is %#v, want the string %q", what, payload["aud"], issuer)
		}
	}
}

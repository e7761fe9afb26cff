package tokens

import (
	"bytes"
	"testing"

	"github.com/stepkey/stepkey/internal/secret"
)

// Only what this service issued is looked up, and a code is no cookie.
func TestBrowserTokens(t *testing.T) {
	browsers := NewBrowserTokens(testRoot(t), bytes.NewReader(counting(0, 64)))
	code, err := browsers.NewCode()
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := browsers.NewCookie()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := browsers.NewCookie(); err == nil {
		t.Error("a cookie without randomness")
	}
	if !browsers.GenuineCode(code) || !browsers.GenuineCookie(cookie) {
		t.Error("an issued token is not genuine")
	}
	root, err := secret.NewRoot(bytes.NewReader(counting(8, secret.RootBytes)))
	if err != nil {
		t.Fatal(err)
	}
	other := NewBrowserTokens(root, nil)
	for name, text := range map[string]string{
		"empty": "", "a code": code, "a code as a cookie": "bs1." + code[4:], "cut": cookie[:len(cookie)-1], "longer": cookie + "A",
		"another MAC": cookie[:len(cookie)-2] + "AA", "padded": cookie + "=",
	} {
		if browsers.GenuineCookie(text) {
			t.Errorf("%s: %q is a genuine cookie", name, text)
		}
	}
	if browsers.GenuineCode(cookie) || browsers.GenuineCode("bc1."+cookie[4:]) {
		t.Error("a cookie is a genuine code")
	}
	if other.GenuineCookie(cookie) || other.GenuineCode(code) {
		t.Error("a token of another root is genuine")
	}
}

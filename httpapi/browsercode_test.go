package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"github.com/stepkey/stepkey/storage"
)

// behindGate has one application.
func behindGate(origin string) bool { return origin == "https://app.example.com" }

func TestBrowserCode(t *testing.T) {
	service := newService(t)
	h := newHandler(service, Options{BehindGate: behindGate})
	const mira = `{"username":"mira","password":"correct horse battery"}`
	wantStatus(t, "sign-up", send(h, "POST", "/auth/signup", mira), 201, "")
	var granted struct{ AccessToken string }
	if err := json.NewDecoder(send(h, "POST", "/auth/login", mira).Body).Decode(&granted); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("secret"))
	nonce := base64.RawURLEncoding.EncodeToString(digest[:])
	authorization := []string{"Authorization", "Bearer " + granted.AccessToken}
	for _, test := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"no origin", `{"nonce":"` + nonce + `"}`, 400, "invalid_request"},
		{"no nonce", `{"origin":"https://app.example.com"}`, 400, "invalid_request"},
		{"short nonce", `{"origin":"https://app.example.com","nonce":"` + nonce[:42] + `"}`, 400, "invalid_request"},
		{"long nonce", `{"origin":"https://app.example.com","nonce":"` + nonce + `AA"}`, 400, "invalid_request"},
		{"padded nonce", `{"origin":"https://app.example.com","nonce":"` + nonce + `="}`, 400, "invalid_request"},
		{"other alphabet", `{"origin":"https://app.example.com","nonce":"+` + nonce[1:] + `"}`, 400, "invalid_request"},
		{"another origin", `{"origin":"https://app.example.com.evil.example","nonce":"` + nonce + `"}`, 403, "unknown_application"},
		{"a path", `{"origin":"https://app.example.com/","nonce":"` + nonce + `"}`, 403, "unknown_application"},
	} {
		wantStatus(t, test.name, send(h, "POST", browserCodePath, test.body, authorization...), test.status, test.code)
	}
	good := `{"origin":"https://app.example.com","nonce":"` + nonce + `"}`
	wantStatus(t, "nobody", send(h, "POST", browserCodePath, good), 401, "unauthorized")
	answer := send(h, "POST", browserCodePath, good, authorization...)
	if got := answer.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %q", got)
	}
	var issued browserCode
	if err := json.NewDecoder(answer.Body).Decode(&issued); err != nil {
		t.Fatal(err)
	}
	cookie, err := service.StartBrowserSession(t.Context(), issued.Code, "secret", "https://app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := service.BrowserSession(t.Context(), cookie, "https://app.example.com"); err != nil || b.Claims.Username != "mira" {
		t.Errorf("BrowserSession: %+v, %v", b, err)
	}
	if storage.DigestBrowser("secret") != digest {
		t.Error("the digest of a nonce is not SHA-256, as the document says")
	}
}

// Without a gate there is no route and no page.
func TestBrowserCodeWithoutGate(t *testing.T) {
	h := newHandler(newService(t), Options{})
	if slices.Contains(servedOperations(t, h), "POST "+browserCodePath) {
		t.Error("the document has it")
	}
	wantStatus(t, "POST", send(h, "POST", browserCodePath, `{}`), 404, "not_found")
}

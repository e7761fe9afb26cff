package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// application answers with the user that the gate names.
func application(t *testing.T) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, r.Proto+" "+r.Header.Get("X-Stepkey-Name")+" "+r.Header.Get("Remote-User")+r.RequestURI)
	}))
	t.Cleanup(app.Close)
	return app.URL
}

func get(t *testing.T, client *http.Client, address, bearer string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestGate(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	address, upstream := "http://localhost:"+port, application(t)
	s := start(t, "gate", "--upstream", upstream, "--remote-headers=on")
	if want := "The gate is ready at " + address + ", in front of " + upstream + "; Stepkey is at " + address + "/_stepkey/ (SQLite in data)\n"; s.stdout.String() != want {
		t.Errorf("it says %q, want %q", s.stdout.String(), want)
	}
	if response, body := get(t, http.DefaultClient, address+"/", ""); response.StatusCode != 401 || strings.HasPrefix(body, "HTTP/") {
		t.Errorf("without a session: %d %s", response.StatusCode, body)
	}
	if status, body := post(t, address+"/_stepkey/auth/signup", mira); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	status, body := post(t, address+"/_stepkey/auth/login", mira)
	var answer struct {
		AccessToken string `json:"accessToken"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	if response, body := get(t, http.DefaultClient, address+"/a?b", answer.AccessToken); response.StatusCode != 200 || body != "HTTP/1.1 mira mira/a?b" {
		t.Errorf("with a session: %d %s", response.StatusCode, body)
	}
	if response, body := get(t, http.DefaultClient, address+"/_stepkey/sign-in", ""); response.StatusCode != 200 || !strings.Contains(body, "<form") {
		t.Errorf("the page: %d %s", response.StatusCode, body)
	}
	if response, _ := get(t, http.DefaultClient, strings.Replace(address, "localhost", "127.0.0.1", 1)+"/_stepkey/readyz", ""); response.StatusCode != 200 {
		t.Errorf("the health check: %d", response.StatusCode)
	}
	wantHealthy(t)
	r, err := http.NewRequest(http.MethodGet, address+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+answer.AccessToken)
	events, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	if code := s.stop(); code != 0 {
		t.Errorf("told to stop with a stream open it ended with %d: %s", code, s.stderr.String())
	}
}

func wantHealthy(t *testing.T) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"healthcheck"}, &stdout, &stderr); code != 0 {
		t.Errorf("not healthy: %s", stderr.String())
	}
}

// writeCertificate writes a certificate for localhost and returns it.
func writeCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func trusting(certificate *x509.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
}

// With a certificate the gate speaks HTTP/2, and takes a renewed one without a restart.
func TestGateSpeaksTLS(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	address := "https://localhost:" + port
	t.Setenv("RP_ORIGIN", address)
	t.Setenv("STEPKEY_TLS_CERT", "cert.pem")
	t.Setenv("STEPKEY_TLS_KEY", "key.pem")
	t.Setenv("STEPKEY_GATE_UPSTREAM", application(t))
	t.Setenv("STEPKEY_RULES", "rules.toml")
	if err := os.WriteFile("rules.toml", []byte("[[app]]\norigin = '"+address+"'\nrules = ['open * /**']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := writeCertificate(t)
	s := start(t, "gate")
	if response, body := get(t, trusting(first), address+"/", ""); response.ProtoMajor != 2 || body != "HTTP/1.1  /" {
		t.Errorf("%s %s", response.Proto, body)
	}
	wantHealthy(t)
	second := writeCertificate(t)
	if response, _ := get(t, trusting(second), address+"/", ""); response.StatusCode != 200 {
		t.Errorf("with a renewed certificate: %d", response.StatusCode)
	}
	if err := os.WriteFile("cert.pem", []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if response, _ := get(t, trusting(second), address+"/", ""); response.StatusCode != 200 || !strings.Contains(s.stderr.String(), "the old one is used") {
		t.Errorf("with a broken certificate: %d, %s", response.StatusCode, s.stderr.String())
	}
}

func TestGateDoesNotStart(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		says string
	}{
		{map[string]string{}, "upstream"},
		{map[string]string{"STEPKEY_GATE_UPSTREAM": "127.0.0.1:8080"}, "STEPKEY_GATE_UPSTREAM"},
		{map[string]string{"STEPKEY_GATE_UPSTREAM": "http://127.0.0.1:8080/app"}, "STEPKEY_GATE_UPSTREAM: the upstream's URL has a path"},
		{map[string]string{"RP_ORIGIN": "https://app.example.com"}, "STEPKEY_TRUSTED_PROXIES"},
		{map[string]string{"STEPKEY_TLS_CERT": "cert.pem"}, "set both or none"},
		{map[string]string{"STEPKEY_TLS_CERT": "cert.pem", "STEPKEY_TLS_KEY": "key.pem"}, "STEPKEY_TLS_CERT, STEPKEY_TLS_KEY: "},
		{map[string]string{"STEPKEY_ACME": "on"}, "no origin in RP_ORIGIN is https"},
		{map[string]string{"STEPKEY_ACME": "http://authority.example.com"}, "STEPKEY_ACME is not off, on or"},
		{map[string]string{"STEPKEY_ACME": "on", "STEPKEY_TLS_CERT": "cert.pem", "STEPKEY_TLS_KEY": "key.pem"}, "use one or the other"},
		{map[string]string{"STEPKEY_RULES": "nowhere.toml"}, "STEPKEY_RULES: "},
	} {
		t.Run(test.says, func(t *testing.T) {
			atHome(t)
			if len(test.env) > 0 {
				t.Setenv("STEPKEY_GATE_UPSTREAM", "http://127.0.0.1:8080")
			}
			t.Setenv("PORT", freePort(t))
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			var stdout, stderr bytes.Buffer
			if code := run(context.Background(), []string{"gate"}, &stdout, &stderr); code == 0 || !strings.Contains(stderr.String(), test.says) {
				t.Errorf("%d, %q; want %q", code, stderr.String(), test.says)
			}
		})
	}
}

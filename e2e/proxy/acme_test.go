package proxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"github.com/stepkey/stepkey/e2e/front"
	"github.com/stepkey/stepkey/internal/patience"
)

// authority is a certificate authority with ACME, Let's Encrypt's own for tests.
type authority struct {
	directory string
	trust     string // file with the certificate of its own server
	roots     *x509.CertPool
}

// newAuthority starts one that finds all hosts on this machine, at tlsPort.
func newAuthority(t *testing.T, tlsPort int) authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	quiet := log.New(io.Discard, "", 0)
	resolver := front.FreeAddress(t)
	names, err := challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{resolver}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	names.SetDefaultDNSIPv6("")
	go names.Run()
	t.Cleanup(names.Shutdown)
	store := db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "default"}})
	validation := va.New(quiet, 1, tlsPort, false, resolver, store)
	api := wfe.New(quiet, store, validation, issuer, []string{"authority.example.com"}, false, false, 1, 1)
	own := front.NewCertificate(t, "localhost")
	pair, err := tls.LoadX509KeyPair(own.Chain, own.Key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(api.Handler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a := authority{directory: "https://localhost:" + port + wfe.DirectoryPath, trust: own.Chain, roots: x509.NewCertPool()}
	if !a.roots.AppendCertsFromPEM(issuer.GetRootCert(0).PEM()) {
		t.Fatal("the authority has no root")
	}
	return a
}

// The gate gets a certificate by itself, and keeps it over a restart.
func TestGateGetsACertificate(t *testing.T) {
	address := front.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	tlsPort, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	issuing := newAuthority(t, tlsPort)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the application") }))
	t.Cleanup(app.Close)
	dir := t.TempDir()
	client := &http.Client{Timeout: patience.Long, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: issuing.roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	var serial string
	for range 2 {
		gate := exec.CommandContext(t.Context(), program, "gate", "--upstream", app.URL)
		gate.Dir = dir
		gate.Env = append(
			patience.Settings(), "PORT="+port, "STEPKEY_HOST=127.0.0.1", "RP_ORIGIN=https://gate.example.com:"+port,
			"STEPKEY_ACME="+issuing.directory, "SSL_CERT_FILE="+issuing.trust,
		)
		output, err := os.Create(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		gate.Stdout, gate.Stderr = output, output
		if err := gate.Start(); err != nil {
			t.Fatal(err)
		}
		certificate := served(t, client, "https://gate.example.com:"+port+"/_stepkey/livez", output.Name())
		if serial != "" && certificate != serial {
			t.Errorf("after a restart the certificate is another one")
		}
		serial = certificate
		if err := gate.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := gate.Wait(); err != nil {
			t.Error(err)
		}
		output.Close()
	}
}

// served waits until the gate answers with a certificate that the client trusts, and returns
// its serial number.
func served(t *testing.T, client *http.Client, address, logFile string) string {
	t.Helper()
	for deadline := time.Now().Add(patience.Long); ; time.Sleep(50 * time.Millisecond) {
		response, err := client.Get(address)
		if err == nil {
			response.Body.Close()
			if response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
				t.Errorf("%s %s", response.Proto, response.Status)
			}
			return response.TLS.PeerCertificates[0].SerialNumber.String()
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(logFile)
			t.Fatalf("%v\n%s", err, text)
		}
	}
}

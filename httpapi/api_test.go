package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/sqlstore"
)

func newService(t testing.TB) *stepkey.Service {
	t.Helper()
	return newServiceWith(t, func(*stepkey.Config) {})
}

func newServiceAt(t testing.TB, origins []string, related ...string) *stepkey.Service {
	t.Helper()
	return newServiceWith(t, func(c *stepkey.Config) {
		c.Origins, c.RelatedOrigins = origins, related
		c.DangerNoLimits, c.Limiter = false, memstore.NewLimiter(0, nil)
	})
}

func newServiceWith(t testing.TB, change func(*stepkey.Config)) *stepkey.Service {
	t.Helper()
	store, err := storeurl.Open(t.Context(), "sqlite:"+t.TempDir()+"/stepkey.db", sqlstore.Options{Timeout: patience.Long})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	config := stepkey.Config{
		Store: store, Challenges: memstore.NewChallenges(0, nil), DangerNoLimits: true,
		Secret: "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw=", Origins: []string{"http://localhost:3000"}, HashWait: patience.Long,
	}
	change(&config)
	service, err := stepkey.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// newHandler is New with a deadline that no load reaches, unless the test sets one.
func newHandler(service *stepkey.Service, options Options) http.Handler {
	options.RequestTimeout = cmp.Or(options.RequestTimeout, patience.Long)
	return New(service, options)
}

func send(h http.Handler, method, target, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func codeOf(t *testing.T, r *http.Response) string {
	t.Helper()
	var body struct{ Code string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return body.Code
}

// document is what of openapi.json these tests read.
type document struct {
	Paths map[string]map[string]any
}

func readDocument(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(openAPIDocument, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEveryRouteIsInTheDocument(t *testing.T) {
	var routed, documented []string
	service := newService(t)
	a := &api{service: service, guard: guard.New(service.Verifier(), guard.Options{Ended: service}), pageOrigins: service.Origins(), pages: http.NotFoundHandler(), behindGate: behindGate}
	for _, route := range a.routes() {
		for _, path := range route.paths {
			for method := range route.methods {
				if method != http.MethodHead { // HEAD is GET without the body
					routed = append(routed, method+" "+path)
				}
			}
		}
	}
	for _, page := range a.pagePaths() {
		routed = append(routed, "GET "+page)
	}
	for path, item := range readDocument(t).Paths {
		for method := range item {
			if slices.Contains([]string{"get", "post", "put", "patch", "delete"}, method) {
				documented = append(documented, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(routed)
	slices.Sort(documented)
	if !slices.Equal(routed, documented) {
		t.Errorf("routes:\n%s\nopenapi.json:\n%s", strings.Join(routed, "\n"), strings.Join(documented, "\n"))
	}
}

func TestProblemOfEachKind(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{stepkey.ErrInvalidRequest, 400, "invalid_request"},
		{stepkey.ErrUsernameInvalid, 400, "username_invalid"},
		{stepkey.ErrUsernameReserved, 400, "username_reserved"},
		{stepkey.ErrPasswordTooShort, 400, "password_too_short"},
		{stepkey.ErrPasswordTooLong, 400, "password_too_long"},
		{stepkey.ErrPasswordCommon, 400, "password_blocked"},
		{stepkey.ErrPasswordContainsUsername, 400, "password_contains_username"},
		{stepkey.ErrPasswordBreached, 400, "password_breached"},
		{stepkey.ErrNoPasskeys, 400, "no_passkeys"},
		{stepkey.ErrChallengeExpired, 400, "challenge_expired"},
		{stepkey.ErrEmailInvalid, 400, "email_invalid"},
		{stepkey.ErrLinkExpired, 400, "link_expired"},
		{stepkey.ErrEmailOff, 404, "email_off"},
		{stepkey.ErrLastPasskey, 409, "last_passkey"},
		{stepkey.ErrPasskeyLogInOff, 404, "passkey_login_off"},
		{stepkey.ErrUnauthorized, 401, "unauthorized"},
		{stepkey.ErrInvalidCredentials, 401, "unauthorized"},
		{stepkey.ErrPasskeyUnknown, 401, "passkey_unknown"},
		{stepkey.ErrVerificationFailed, 401, "verification_failed"},
		{stepkey.ErrReauthenticationRequired, 403, "reauthentication_required"},
		{&stepkey.StepUpRequiredError{MaxAge: time.Minute}, 403, "step_up_required"},
		{stepkey.ErrWrongRecoveryCode, 403, "wrong_recovery_code"},
		{stepkey.ErrPasswordByMail, 403, "password_by_mail"},
		{stepkey.ErrNoAddress, 403, "no_address"},
		{&stepkey.PasskeyWaitsError{Until: time.Now()}, 403, "passkey_waits"},
		{&stepkey.ResetTooRecentError{Until: time.Now()}, 403, "reset_too_recent"},
		{stepkey.ErrUsernameTaken, 409, "username_taken"},
		{stepkey.ErrPasskeyExists, 409, "passkey_exists"},
		{stepkey.ErrTooManyPasskeys, 409, "too_many_passkeys"},
		{errPayloadTooLarge, 413, "payload_too_large"},
		{errUnsupportedMediaType, 415, "unsupported_media_type"},
		{&stepkey.OverloadedError{RetryAfter: 3 * time.Second}, 503, "overloaded"},
		{&stepkey.RateLimitedError{RetryAfter: time.Minute}, 429, "rate_limited"},
		{fmt.Errorf("pool: %w", stepkey.ErrUnavailable), 503, "unavailable"},
		{context.DeadlineExceeded, 503, "unavailable"},
		{errors.New("SELECT secret FROM users"), 500, "internal"},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		writeProblem(w, r, problemOf(test.err))
		got := w.Result()
		if code := codeOf(t, got); got.StatusCode != test.status || code != test.code {
			t.Errorf("%v: %d %s, want %d %s", test.err, got.StatusCode, code, test.status, test.code)
		}
		if test.status == 503 && got.Header.Get("Retry-After") == "" {
			t.Errorf("%v: no Retry-After", test.err)
		}
	}
}

// Client input and secrets stay out of the log and of answers.
func TestNothingSentComesBackOrIsLogged(t *testing.T) {
	var log bytes.Buffer
	h := newHandler(newService(t), Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	const canary = "c4n4ry-hunter2"
	body := fmt.Sprintf(`{"username":"mira-%s","password":"%s","%s":1}`, canary, canary, canary)
	var answers bytes.Buffer
	for _, request := range []*http.Response{
		send(h, "POST", "/auth/signup", body),
		send(h, "POST", "/auth/login", strings.Replace(body, `"password":"`, `"password":"x`, 1)),
		send(h, "POST", "/auth/login", strings.Replace(body, `{`, `[`, 1)),
		send(h, "POST", "/auth/login?password="+canary, body),
		send(h, "GET", "/"+canary, ""),
		send(h, canary, "/auth/login", ""),
		send(h, "GET", "/users/profile", "", "Authorization", "Bearer "+canary, "X-Request-Id", canary),
	} {
		text, _ := io.ReadAll(request.Body)
		answers.Write(text)
		fmt.Fprint(&answers, request.Header)
	}
	if strings.Contains(answers.String(), canary) {
		t.Errorf("it came back: %s", answers.String())
	}
	if strings.Contains(log.String(), canary) {
		t.Errorf("it was logged: %s", log.String())
	}
	if lines := strings.Count(log.String(), "\n"); lines < 7 {
		t.Errorf("%d lines in the log, want one for each request", lines)
	}
}

func TestPanicIsAPlain500(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	h := &entrance{timeout: patience.Long, log: logger, next: recoverPanics(logger, http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { panic("hunter2") }))}
	got := send(h, "GET", "/", "")
	text, _ := io.ReadAll(got.Body)
	if got.StatusCode != 500 || !strings.Contains(string(text), `"internal"`) || !strings.Contains(string(text), `"requestId"`) {
		t.Errorf("%d %s", got.StatusCode, text)
	}
	if strings.Contains(string(text)+log.String(), "hunter2") {
		t.Error("the value of the panic got out")
	}
	if !strings.Contains(log.String(), "stack") {
		t.Error("no stack in the log")
	}
}

// An instance that is about to stop sends everybody elsewhere, and yet answers.
func TestStopping(t *testing.T) {
	stopping := make(chan struct{})
	h := newHandler(newService(t), Options{Stopping: stopping})
	if got := send(h, "GET", "/readyz", ""); got.StatusCode != 200 || got.Header.Get("Connection") != "" {
		t.Errorf("before: %d, Connection %q", got.StatusCode, got.Header.Get("Connection"))
	}
	close(stopping)
	for path, want := range map[string]int{"/readyz": 503, "/livez": 200} {
		if got := send(h, "GET", path, ""); got.StatusCode != want || got.Header.Get("Connection") != "close" {
			t.Errorf("%s: %d, Connection %q; want %d and close", path, got.StatusCode, got.Header.Get("Connection"), want)
		}
	}
}

// Every request has a deadline, which what it asks of the database goes by.
func TestRequestsHaveADeadline(t *testing.T) {
	var within time.Duration
	h := &entrance{timeout: DefaultRequestTimeout, log: slog.New(slog.DiscardHandler), next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if deadline, ok := r.Context().Deadline(); ok {
			within = time.Until(deadline)
		}
	})}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if within <= 0 || within > DefaultRequestTimeout {
		t.Errorf("the deadline is in %s, want %s", within, DefaultRequestTimeout)
	}
}

func TestHSTSOnlyWhereItIsSet(t *testing.T) {
	service := newService(t)
	for hsts, want := range map[bool]string{true: "max-age=31536000", false: ""} {
		got := send(newHandler(service, Options{HSTS: hsts}), "GET", "/livez", "")
		if got.Header.Get("Strict-Transport-Security") != want {
			t.Errorf("HSTS %v: %q", hsts, got.Header.Get("Strict-Transport-Security"))
		}
	}
}

func TestServerIsBounded(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), ServerOptions{})
	for what, bound := range map[string]time.Duration{
		"read header": s.ReadHeaderTimeout, "read": s.ReadTimeout, "write": s.WriteTimeout, "idle": s.IdleTimeout,
	} {
		if bound <= 0 || bound > time.Minute {
			t.Errorf("%s: %s", what, bound)
		}
	}
	if s.MaxHeaderBytes > 16<<10 || s.MaxHeaderBytes == 0 {
		t.Errorf("headers: %d bytes", s.MaxHeaderBytes)
	}
}

func TestDecode(t *testing.T) {
	type inner struct {
		Name string `json:"name"`
	}
	type body struct {
		Text  string `json:"text"`
		Inner inner  `json:"inner"`
	}
	for sent, want := range map[string]error{
		`{"text":"a","inner":{"name":"b"}}`: nil,
		`{"text":"a","unknown":{"x":[1]}}`:  nil,
		` {"text":"a"} `:                    nil,
		`{}`:                                nil,
		`{"text":"a","text":"b"}`:           stepkey.ErrInvalidRequest,
		`{"text":"a","te\u0078t":"b"}`:      stepkey.ErrInvalidRequest,
		`{"unknown":{"x":1,"x":2}}`:         stepkey.ErrInvalidRequest,
		`{"Text":"a"}`:                      stepkey.ErrInvalidRequest,
		`{"text":"a","TEXT":"b"}`:           stepkey.ErrInvalidRequest,
		`{"inner":{"Name":"b"}}`:            stepkey.ErrInvalidRequest,
		`{"text":1}`:                        stepkey.ErrInvalidRequest,
		`{"text":"a"}{}`:                    stepkey.ErrInvalidRequest,
		`{"text":"a"} x`:                    stepkey.ErrInvalidRequest,
		`{"text":"\xff"}`:                   stepkey.ErrInvalidRequest,
		"{\"text\":\"\xff\"}":               stepkey.ErrInvalidRequest,
		`{"text":"\ud800"}`:                 stepkey.ErrInvalidRequest,
		`{"text":"a",}`:                     stepkey.ErrInvalidRequest,
		`[]`:                                stepkey.ErrInvalidRequest,
		`"a"`:                               stepkey.ErrInvalidRequest,
		``:                                  stepkey.ErrInvalidRequest,
		strings.Repeat(`{"a":`, 20_000):     stepkey.ErrInvalidRequest,
		`{"text":"` + strings.Repeat("a", 1<<20) + `"}`: errPayloadTooLarge,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(sent))
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		if _, err := decode[body](httptest.NewRecorder(), r, 512<<10); !errors.Is(err, want) {
			t.Errorf("%.60s: %v, want %v", sent, err, want)
		}
	}
	for header, want := range map[[2]string]error{
		{"Content-Type", "application/json"}:                  nil,
		{"Content-Type", "Application/JSON;charset=UTF-8"}:    nil,
		{"Content-Type", "text/plain"}:                        errUnsupportedMediaType,
		{"Content-Type", "application/x-www-form-urlencoded"}: errUnsupportedMediaType,
		{"Content-Type", "application/json-seq"}:              errUnsupportedMediaType,
		{"Content-Type", ""}:                                  errUnsupportedMediaType,
		{"Content-Encoding", "gzip"}:                          errUnsupportedMediaType,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(`{}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(header[0], header[1])
		if _, err := decode[body](httptest.NewRecorder(), r, 512); !errors.Is(err, want) {
			t.Errorf("%s: %s: %v, want %v", header[0], header[1], err, want)
		}
	}
}

func TestMethods(t *testing.T) {
	h := newHandler(newService(t), Options{})
	for _, test := range []struct {
		method, path, allow string
		status              int
	}{
		{"GET", "/auth/login", "POST", 405},
		{"DELETE", "/users/profile", "GET, HEAD", 405},
		{"HEAD", "/passkeys/register/options", "GET, POST", 405},
		{"BREW", "/auth/signup", "POST", 405},
		{"HEAD", "/livez", "", 200},
		{"GET", "/nothing", "", 404},
		{"GET", "/", "", 404}, // no pages were given
	} {
		got := send(h, test.method, test.path, "")
		if got.StatusCode != test.status || got.Header.Get("Allow") != test.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", test.method, test.path,
				got.StatusCode, got.Header.Get("Allow"), test.status, test.allow)
		}
	}
}

package browser

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepup/web"
	"github.com/stepkey/stepkey/webauthn"
)

// shop is an app that keeps its own users, as small as the pages of stepup/web need one: one person, who is signed in. Its
// ceremonies are real; its rules are what the test sets.
type shop struct {
	url   string
	pages *web.Pages
	party *ceremony.RelyingParty

	mu       sync.Mutex
	page     web.VerifyPage // what the page for a purpose shows, but for what the request decides
	passkeys []held
	user     string
	proved   bool
	forgets  bool // the session is lost on the way from the page for a purpose
	assert   map[string]ceremony.AssertionState
	register map[string]ceremony.RegistrationState
	refuse   map[string]map[string]any // the next answer of a path, a problem
	begun    int                       // ceremonies
	paid     []string                  // the bodies of payments
	codes    int
	library  string // a script of others, in the page /with
}

type held struct {
	ID, Name string
	ceremony.Credential
}

// serveShop starts the app at an address that a passkey can be bound to.
func serveShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{
		pages: web.New("/_stepkey/", web.English), user: "mira", codes: 10,
		assert: map[string]ceremony.AssertionState{}, register: map[string]ceremony.RegistrationState{}, refuse: map[string]map[string]any{},
		page: web.VerifyPage{
			State: web.StateVerify, Service: "Ledger", Title: "Pay out", Account: "mira@example.com", Device: "Chromium on Linux", Back: "/",
		},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /account", s.account)
	mux.HandleFunc("GET /payouts", s.payouts)
	mux.HandleFunc("GET /form", s.form)
	mux.HandleFunc("POST /pay", s.pay)
	mux.HandleFunc("GET /lib", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		io.WriteString(w, s.library)
	})
	mux.HandleFunc("GET /with", s.with)
	mux.HandleFunc("GET /_stepkey/verify", func(w http.ResponseWriter, r *http.Request) {
		s.verify(w, r, 200, r.FormValue("next"), "")
	})
	mux.Handle("GET /_stepkey/stepup.js", s.pages.Script())
	mux.Handle("GET /_stepkey/stepup.css", s.pages.Style())
	mux.Handle("GET /sources/", http.StripPrefix("/sources/", http.FileServer(http.Dir("../../stepup/web/client"))))
	for name, answer := range map[string]func(json.RawMessage) (any, error){
		"begin": s.begin, "finish": s.finish, "add/begin": s.addBegin, "add/finish": s.addFinish, "codes": s.newCodes, "recover": s.recover,
		"skip": func(json.RawMessage) (any, error) { return struct{}{}, nil },
	} {
		mux.HandleFunc("POST /_stepkey/"+name, s.call(name, answer))
	}
	mux.HandleFunc("POST /_stepkey/passkeys/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.call("passkeys", func(body json.RawMessage) (any, error) { return s.change(r.PathValue("id"), body) })(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	party, err := ceremony.New(ceremony.Config{RPID: "localhost", RPName: "Ledger", Origins: []string{s.url}})
	if err != nil {
		t.Fatal(err)
	}
	s.party = party
	return s
}

// set changes the app while a page is open.
func (s *shop) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// has reads from the app.
func has[T any](s *shop, read func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return read()
}

func (s *shop) isProved() bool { return has(s, func() bool { return s.proved }) }

func (s *shop) document(w http.ResponseWriter, title, head, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-n0nce' 'self'; style-src 'nonce-n0nce'; connect-src 'self'; base-uri 'none'")
	fmt.Fprintf(w, `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>%s</title>%s<main>%s</main></html>`, title, head, body)
}

const ourScript = `<script type="module" src="/_stepkey/stepup.js" nonce="n0nce"></script>`

func (s *shop) home(w http.ResponseWriter, _ *http.Request) {
	s.document(w, "Shop", "", `<h1>Shop</h1><p><a href="/payouts#tab2">Payouts</a></p>`+ourScript)
}

// account is a page of the app with the list of passkeys in it.
func (s *shop) account(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := web.ManagePage{Service: "Ledger", Account: "mira@example.com", CodesLeft: s.codes, Nonce: "n0nce"}
	for _, k := range s.passkeys {
		data.Passkeys = append(data.Passkeys, web.Passkey{ID: k.ID, Name: k.Name, CreatedAt: time.Now()})
	}
	fragment, err := s.pages.Manage(data)
	if err != nil {
		panic(err)
	}
	s.document(w, "Account", "", "<h1>Account</h1>"+string(fragment))
}

func (s *shop) payouts(w http.ResponseWriter, r *http.Request) {
	if !s.isProved() {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, "/_stepkey/verify?p=payout&next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	s.document(w, "Payouts", "", `<h1>Payouts</h1><a href="/">Home</a>`)
}

// pay takes a payment: a form, or what a script sends.
func (s *shop) pay(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.isProved() {
		s.set(func() { s.paid = append(s.paid, string(body)) })
		if r.Header.Get("X-Turbo-Request-Id") != "" {
			http.Redirect(w, r, "/payouts", http.StatusSeeOther)
			return
		}
		s.document(w, "Paid", "", `<h1 id="paid">Paid</h1>`)
		return
	}
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		sealed := base64.RawURLEncoding.EncodeToString(body)
		from, err := url.Parse(r.Referer())
		if err != nil {
			panic(err)
		}
		s.verify(w, r, http.StatusUnauthorized, from.RequestURI(), sealed)
		return
	}
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", "/_stepkey/verify?p=payout&next=%2Fform")
	}
	s.refused(w, http.StatusUnauthorized, map[string]any{
		"code": "step_up_required", "detail": "Verify a passkey, then try again.", "purpose": "payout", "user": has(s, func() string { return s.user }),
		"verify": "/_stepkey/verify?p=payout&next=",
	})
}

func (s *shop) refused(w http.ResponseWriter, status int, problem map[string]any) {
	w.Header().Set("Content-Type", "application/problem+json")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Stepkey error="insufficient_user_authentication"`)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem) // a browser that has gone
}

func (s *shop) verify(w http.ResponseWriter, r *http.Request, status int, next, form string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := s.page
	page.Purpose, page.Next, page.Form = "payout", next, form
	page.Auto = r.Header.Get("Sec-Fetch-Site") == "same-origin"
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.pages.Policy())
	w.WriteHeader(status)
	if err := s.pages.Verify(w, page); err != nil {
		panic(err)
	}
}

// form is a page with a form, whose fields the query names.
func (s *shop) form(w http.ResponseWriter, r *http.Request) {
	var fields strings.Builder
	var names [][2]string
	if err := json.Unmarshal([]byte(r.FormValue("fields")), &names); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, f := range names {
		fmt.Fprintf(&fields, "<textarea name=%q>\n%s</textarea>", html.EscapeString(f[0]), html.EscapeString(f[1]))
	}
	s.document(w, "Form", "", `<h1>Form</h1><form method="post" action="/pay#part" id="form">`+fields.String()+`<button id="send">Send</button></form>`)
}

// with is a page that uses the library, with what the query holds in it.
func (s *shop) with(w http.ResponseWriter, r *http.Request) {
	s.document(w, "With", `<meta name="csp-nonce" content="n0nce"><meta name="htmx-config" content='{"includeIndicatorStyles":false}'>`+
		`<script src="/lib" nonce="n0nce"></script>`+ourScript, `<h1>With</h1>`+r.FormValue("body"))
}

// problem is a refusal as an error.
type problem map[string]any

func (p problem) Error() string { return fmt.Sprint(p["code"]) }

func (s *shop) call(name string, answer func(json.RawMessage) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Origin") != s.url || r.Header.Get("Content-Type") != "application/json" {
			s.refused(w, http.StatusForbidden, map[string]any{"code": "cross_site", "detail": "This request came from another site."})
			return
		}
		if refusal, ok := s.refuse[name]; ok {
			delete(s.refuse, name)
			s.refused(w, http.StatusForbidden, refusal)
			return
		}
		result, err := answer(body)
		if err != nil {
			refusal, ok := err.(problem)
			if !ok {
				refusal = problem{"code": "verification_failed", "detail": err.Error()}
			}
			s.refused(w, http.StatusForbidden, refusal)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(result) // a browser that has gone
	}
}

func (s *shop) person() ceremony.User {
	return ceremony.User{Handle: []byte("handle of mira"), Name: "mira@example.com", DisplayName: "Mira"}
}

func (s *shop) credentials() (all []ceremony.Credential) {
	for _, k := range s.passkeys {
		all = append(all, k.Credential)
	}
	return all
}

func (s *shop) begin(body json.RawMessage) (any, error) {
	var asked struct{ Ensure bool }
	if err := json.Unmarshal(body, &asked); err != nil {
		return nil, err
	}
	if asked.Ensure && s.proved {
		return map[string]any{"met": true, "user": s.user}, nil
	}
	if len(s.passkeys) == 0 {
		return nil, problem{"code": "no_passkeys", "detail": "You have no passkey yet."}
	}
	options, state, err := s.party.BeginAssertion(s.person(), s.credentials())
	if err != nil {
		return nil, err
	}
	s.begun++
	s.assert[string(state.Challenge())] = state
	return map[string]any{"options": options, "title": "Pay out", "account": "mira@example.com"}, nil
}

func (s *shop) finish(body json.RawMessage) (any, error) {
	var sent struct {
		Response webauthn.AuthenticationResponse
		Form     string
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, err
	}
	challenge, err := ceremony.Challenge(sent.Response.Response.ClientDataJSON)
	if err != nil {
		return nil, err
	}
	state := s.assert[string(challenge)]
	delete(s.assert, string(challenge))
	if _, err := s.party.FinishAssertion(s.person(), state, s.credentials(), sent.Response); err != nil {
		return nil, err
	}
	s.proved = !s.forgets
	if sent.Form == "" {
		return map[string]any{"user": s.user}, nil
	}
	form, err := base64.RawURLEncoding.DecodeString(sent.Form)
	if err != nil {
		return nil, err
	}
	fields := [][2]string{}
	for pair := range strings.SplitSeq(string(form), "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, problem{"code": "form_expired"}
		}
		fields = append(fields, [2]string{name, value})
	}
	return map[string]any{"form": map[string]any{"action": "/pay", "enctype": "application/x-www-form-urlencoded", "fields": fields}}, nil
}

func (s *shop) addBegin(json.RawMessage) (any, error) {
	if len(s.passkeys) > 0 && !s.proved {
		return nil, problem{"code": "step_up_required", "detail": "Verify a passkey, then try again.", "purpose": "passkeys"}
	}
	options, state, err := s.party.BeginRegistration(s.person(), s.credentials())
	if err != nil {
		return nil, err
	}
	s.register[string(state.Challenge())] = state
	return map[string]any{"options": options}, nil
}

func (s *shop) addFinish(body json.RawMessage) (any, error) {
	var sent struct{ Response webauthn.RegistrationResponse }
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, err
	}
	challenge, err := ceremony.Challenge(sent.Response.Response.ClientDataJSON)
	if err != nil {
		return nil, err
	}
	credential, err := s.party.FinishRegistration(s.person(), s.register[string(challenge)], sent.Response)
	if err != nil {
		return nil, err
	}
	added := held{ID: rand.Text(), Name: fmt.Sprintf("Passkey %d", len(s.passkeys)+1), Credential: credential}
	s.passkeys = append(s.passkeys, added)
	return map[string]any{"passkey": s.shown()[len(s.passkeys)-1]}, nil
}

func (s *shop) shown() []map[string]any {
	list := []map[string]any{}
	for _, k := range s.passkeys {
		list = append(list, map[string]any{
			"id": k.ID, "name": k.Name, "provider": "", "createdAt": time.Now(), "lastUsedAt": nil, "usableFrom": nil, "synced": false,
		})
	}
	return list
}

func (s *shop) change(id string, body json.RawMessage) (any, error) {
	var sent struct {
		Name         string
		Delete, Last bool
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, err
	}
	if !s.proved {
		return nil, problem{"code": "step_up_required", "detail": "Verify a passkey, then try again.", "purpose": "passkeys"}
	}
	at := slices.IndexFunc(s.passkeys, func(k held) bool { return k.ID == id })
	switch {
	case at < 0:
		return nil, problem{"code": "not_found", "detail": "This passkey is gone already."}
	case sent.Delete && len(s.passkeys) == 1 && !sent.Last:
		return nil, problem{"code": "last_passkey", "detail": "This is the last passkey."}
	case sent.Delete:
		s.passkeys = slices.Delete(s.passkeys, at, at+1)
	default:
		s.passkeys[at].Name = sent.Name
	}
	return map[string]any{"passkeys": s.shown()}, nil
}

func (s *shop) newCodes(json.RawMessage) (any, error) {
	if !s.proved {
		return nil, problem{"code": "step_up_required", "detail": "Verify a passkey, then try again.", "purpose": "passkeys"}
	}
	codes := make([]string, 10)
	for i := range codes {
		codes[i] = strings.ToLower(rand.Text()[:24])
	}
	s.codes = len(codes)
	return map[string]any{"codes": codes}, nil
}

func (s *shop) recover(body json.RawMessage) (any, error) {
	if !bytes.Contains(body, []byte(`"right-code"`)) {
		return nil, problem{"code": "wrong_recovery_code", "detail": "This code is not right."}
	}
	s.passkeys = nil
	return struct{}{}, nil
}

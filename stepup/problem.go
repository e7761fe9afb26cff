package stepup

import (
	"encoding/json"
	"errors"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/keptform"
	"github.com/stepkey/stepkey/internal/requestkind"
)

// problem is a problem document (RFC 9457): a stable code for machines, and a sentence that tells
// a person what to do.
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`

	// Of step_up_required.
	Purpose   string      `json:"purpose,omitempty"`
	User      string      `json:"user,omitempty"` // a tag, by which scripts see that the user changed
	Missing   []jsonNeed  `json:"missing,omitempty"`
	Expired   []jsonNeed  `json:"expired,omitempty"`
	NoPasskey bool        `json:"noPasskey,omitempty"`
	Verify    string      `json:"verify,omitempty"`
	Action    string      `json:"action,omitempty"`
	Fields    [][2]string `json:"fields,omitempty"`

	// Where to go on, for those that a passkey does not help.
	SignIn     string     `json:"signIn,omitempty"`
	Prove      string     `json:"prove,omitempty"`
	UsableFrom *time.Time `json:"usableFrom,omitempty"`

	retryAfter time.Duration
	maxAge     time.Duration // of step_up_required
}

type jsonNeed struct {
	Factor        Factor `json:"factor"`
	WithinSeconds int64  `json:"withinSeconds"`
}

func jsonNeeds(needs []Need) (list []jsonNeed) {
	for _, n := range needs {
		list = append(list, jsonNeed{n.Factor, int64(n.Within / time.Second)})
	}
	return list
}

// Error implements error, so that a handler can return a problem.
func (p problem) Error() string { return p.Code }

// The problems of the Kit's own routes and of refusals.
var (
	problemUnauthorized    = problem{Status: 401, Code: "unauthorized", Title: "Nobody is signed in", Detail: "Sign in first."}
	problemSessionOver     = problem{Status: 401, Code: "unauthorized", Title: "The session is over", Detail: "Sign in again."}
	problemSessionRequired = problem{Status: 403, Code: "session_required", Title: "A session is needed", Detail: "A passkey is verified in a signed-in session, not with an API token."}
	problemStepUp          = problem{Code: "step_up_required", Title: "A verification is needed", Detail: "Verify it is you, then try again."}
	problemNoPasskeys      = problem{Status: 409, Code: "no_passkeys", Title: "There is no passkey", Detail: "Add a passkey first."}
	problemPasskeyWaits    = problem{Status: 403, Code: "passkey_waits", Title: "The passkey does not work yet", Detail: "It was added without an old one. Try again when it works."}
	problemFailed          = problem{Status: 403, Code: "verification_failed", Title: "The verification failed", Detail: "Try again, or use another passkey."}
	problemExpired         = problem{Status: 400, Code: "challenge_expired", Title: "That took too long", Detail: "Begin again."}
	problemReauthenticate  = problem{Status: 403, Code: "reauthentication_required", Title: "A fresh sign-in is needed", Detail: "Sign in again, then go on within 10 minutes."}
	problemTooMany         = problem{Status: 409, Code: "too_many_passkeys", Title: "There are 20 passkeys", Detail: "Delete one first."}
	problemLast            = problem{Status: 409, Code: "last_passkey", Title: "This is the last passkey", Detail: "Confirm that you want to delete it."}
	problemExists          = problem{Status: 409, Code: "passkey_exists", Title: "The passkey is there already", Detail: "Use another device or password manager."}
	problemWrongCode       = problem{Status: 403, Code: "wrong_recovery_code", Title: "The recovery code is wrong", Detail: "Check it, and use one that was not used before."}
	problemRateLimited     = problem{Status: 429, Code: "rate_limited", Title: "Too many tries", Detail: "Wait a moment, then try again."}
	problemCrossSite       = problem{Status: 403, Code: "cross_site", Title: "The request came from another site", Detail: "Start from a page of this site."}
	problemFormExpired     = problem{Status: 409, Code: "form_expired", Title: "The form has expired", Detail: "Go back, fill it in again and send it."}
	problemUnavailable     = problem{Status: 503, Code: "unavailable", Title: "Not available", Detail: "This does not work at the moment. Try again in a minute.", retryAfter: 5 * time.Second}
	problemInvalid         = problem{Status: 400, Code: "invalid_request", Title: "The request cannot be read", Detail: "Reload the page, then try again."}
	problemNotFound        = problem{Status: 404, Code: "not_found", Title: "Not found", Detail: "It is not there, or no longer."}
	problemInternal        = problem{Status: 500, Code: "internal", Title: "Something went wrong", Detail: "Try again. If it stays like this, tell support."}
)

// problemOf is what an error of the engine is to a browser.
func problemOf(err error) problem {
	var p problem
	var limited *stepkey.RateLimitedError
	var waits *stepkey.PasskeyWaitsError
	var stepUp *stepkey.StepUpRequiredError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &limited):
		p = problemRateLimited
		p.retryAfter = limited.RetryAfter
		return p
	case errors.As(err, &waits):
		p = problemPasskeyWaits
		p.UsableFrom = &waits.Until
		return p
	case errors.As(err, &stepUp):
		p = problemStepUp
		p.Purpose, p.maxAge = managing, stepUp.MaxAge
		return p
	}
	for _, known := range []struct {
		err     error
		problem problem
	}{
		{stepkey.ErrSessionOver, problemSessionOver},
		{stepkey.ErrUnauthorized, problemSessionOver},
		{stepkey.ErrNoPasskeys, problemNoPasskeys},
		{stepkey.ErrVerificationFailed, problemFailed},
		{stepkey.ErrChallengeExpired, problemExpired},
		{stepkey.ErrReauthenticationRequired, problemReauthenticate},
		{stepkey.ErrTooManyPasskeys, problemTooMany},
		{stepkey.ErrLastPasskey, problemLast},
		{stepkey.ErrPasskeyExists, problemExists},
		{stepkey.ErrWrongRecoveryCode, problemWrongCode},
		{stepkey.ErrInvalidRequest, problemInvalid},
		{stepkey.ErrNotFound, problemNotFound},
		{stepkey.ErrUnavailable, problemUnavailable},
		{keptform.ErrExpired, problemFormExpired},
		{keptform.ErrSealed, problemFormExpired},
	} {
		if errors.Is(err, known.err) {
			return known.problem
		}
	}
	return problemInternal
}

// fail answers with a problem document, or with a page if a person would see it. It completes
// those that lead somewhere.
func (k *Kit) fail(w http.ResponseWriter, r *http.Request, p problem) {
	switch p.Code {
	case problemStepUp.Code:
		p.Status = k.config.Status
		if p.Verify == "" {
			p.Verify = k.config.Path + "verify?p=" + p.Purpose + "&next="
		}
	case problemUnauthorized.Code:
		p.SignIn = k.config.SignIn
	case problemReauthenticate.Code:
		p.SignIn = k.proveURL(Password)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.Code == problemStepUp.Code {
		// RFC 9470 §3. Scripts tell by this header that a passkey helps.
		challenge := `Bearer error="insufficient_user_authentication", error_description="` + p.Title + `"`
		if p.maxAge > 0 {
			challenge += `, max_age=` + strconv.FormatInt(int64(p.maxAge/time.Second), 10)
		}
		h.Set("WWW-Authenticate", challenge)
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(p.retryAfter.Seconds())), 10))
	}
	if requestkind.Of(r.Method, r.Header).IsNavigation() {
		writeNotice(w, p)
		return
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // a problem holds texts and numbers alone
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that is gone needs no answer
	}
}

// writeNotice writes a problem as a page of plain words.
func writeNotice(w http.ResponseWriter, p problem) {
	h := w.Header()
	isolate(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(p.Status)
	_ = noticeTemplate.Execute(w, p) // a client that is gone needs no page
}

var noticeTemplate = template.Must(template.New("notice").Parse(
	`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">` +
		`<meta name="color-scheme" content="light dark"><title>{{.Title}}</title><h1>{{.Title}}</h1><p>{{.Detail}}</p>` +
		`<p><a href="/">Go to the start page</a></p>`))

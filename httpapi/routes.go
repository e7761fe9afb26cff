package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stepkey/stepkey"
)

// route is one resource: the paths it has, the first of them canonical and the
// others the original's spellings, and what each method does.
type route struct {
	paths   []string
	methods methods
}

// routes lists everything that the API answers.
func (a *api) routes() []route {
	login := a.signedIn(a.guard.RequireLogin)
	enrolment := a.signedIn(a.guard.RequireEnrolment)
	full := a.signedIn(a.guard.RequireFull)
	handle := func(f http.HandlerFunc) http.Handler { return f }

	registrationOptions := enrolment(handle(a.registrationOptions))
	stepUpOptions := login(handle(a.stepUpOptions))
	registrationVerify := a.ceremony(stepkey.PurposeRegistration, enrolment(handle(a.registrationVerify)))
	stepUpVerify := a.ceremony(stepkey.PurposeStepUp, login(handle(a.stepUpVerify)))
	passkeyLogInVerify := a.ceremony(stepkey.PurposeLogIn, a.anonymous(a.passkeyLogInVerify))
	account := methods{"DELETE": login(handle(a.deleteAccount))}
	if a.pages != nil {
		account["GET"], account["HEAD"] = fromMemory(a.pages), fromMemory(a.pages)
	}
	return []route{
		{[]string{"/auth/signup"}, methods{"POST": a.anonymous(a.signUp)}},
		{[]string{"/auth/login", "/auth/signin"}, methods{"POST": a.anonymous(a.logIn)}},

		{[]string{"/auth/refresh"}, methods{"POST": a.anonymous(a.refresh)}},
		{[]string{"/auth/logout"}, methods{"POST": a.anonymous(a.logOut)}},
		{[]string{"/auth/logout/all"}, methods{"POST": login(handle(a.logOutEverywhere))}},
		{[]string{"/auth/sessions"}, methods{
			"GET":    login(handle(a.sessions)),
			"HEAD":   login(handle(a.sessions)),
			"DELETE": login(handle(a.endOtherSessions)),
		}},
		{[]string{"/auth/sessions/{id}"}, methods{"DELETE": login(handle(a.endSession))}},
		{[]string{"/auth/revoke"}, methods{"POST": a.anonymous(a.revoke)}},
		{[]string{"/auth/introspect"}, methods{"POST": budgeted{handle(a.introspect), perGuess}}},

		{[]string{pathAccount}, account},
		{[]string{"/account/export"}, readable(login(handle(a.export)))},
		{[]string{"/account/events"}, readable(login(handle(a.events)))},
		{[]string{"/account/password"}, methods{"POST": login(handle(a.changePassword))}},

		// The original's GET, which makes a challenge, is kept for its clients. HEAD
		// is left out, so that a prefetch uses up none.
		{
			[]string{"/passkeys/register/options"},
			methods{"POST": registrationOptions, "GET": registrationOptions},
		},
		{[]string{"/passkeys/register/verify"}, methods{"POST": registrationVerify}},
		{
			[]string{"/passkeys/authenticate/options", "/passkeys/auth/options"},
			methods{"POST": stepUpOptions, "GET": stepUpOptions},
		},
		{
			[]string{"/passkeys/authenticate/verify", "/passkeys/auth/verify"},
			methods{"POST": stepUpVerify},
		},
		{[]string{"/passkeys/login/options"}, methods{"POST": a.anonymous(a.passkeyLogInOptions)}},
		{[]string{"/passkeys/login/verify"}, methods{"POST": passkeyLogInVerify}},
		{[]string{"/passkeys"}, readable(login(handle(a.passkeys)))},
		{[]string{"/passkeys/{id}"}, methods{
			"PATCH":  login(handle(a.renamePasskey)),
			"DELETE": login(handle(a.deletePasskey)),
		}},

		{[]string{"/account/email"}, methods{
			"GET":    login(handle(a.email)),
			"HEAD":   login(handle(a.email)),
			"POST":   login(handle(a.requestEmail)),
			"DELETE": login(handle(a.removeEmail)),
		}},
		{[]string{"/account/email/verify"}, methods{"POST": a.anonymous(a.confirmEmail)}},
		{[]string{"/recovery/password"}, methods{"POST": a.anonymous(a.requestReset)}},
		{[]string{"/recovery/password/finish"}, methods{"POST": a.anonymous(a.resetPassword)}},
		{[]string{"/account/recovery"}, readable(login(handle(a.recovery)))},
		{[]string{"/account/recovery/codes"}, methods{"POST": login(handle(a.replaceRecoveryCodes))}},
		{[]string{"/recovery/code"}, methods{"POST": login(handle(a.useRecoveryCode))}},
		{[]string{"/recovery/passkey"}, methods{
			"POST":   login(handle(a.recoverByMail)),
			"DELETE": login(handle(a.cancelRecovery)),
		}},
		{[]string{"/recovery/passkey/finish"}, methods{"POST": login(handle(a.finishRecovery))}},
		{[]string{"/recovery/link"}, methods{"POST": a.anonymous(a.recoverByLink)}},
		{[]string{"/recovery/freeze"}, methods{"POST": a.anonymous(a.freeze)}},

		{[]string{"/users/profile"}, readable(login(handle(a.profile)))},
		{[]string{"/users/histories"}, readable(full(handle(a.histories)))},

		{[]string{"/.well-known/jwks.json"}, readable(fromMemory(handle(a.publicKeys())))},
		{[]string{"/.well-known/ended-sessions"}, readable(fromMemory(handle(a.endedSessions)))},
		{[]string{"/.well-known/ended-sessions/{minute}"}, readable(fromMemory(handle(a.endedSessionsOf)))},
		{[]string{"/.well-known/webauthn"}, readable(fromMemory(handle(a.relatedOrigins)))},
		{[]string{"/.well-known/passkey-endpoints"}, readable(fromMemory(handle(a.passkeyEndpoints)))},
		{[]string{"/.well-known/change-password"}, readable(fromMemory(handle(a.changePasswordPage)))},
		{[]string{"/openapi.json"}, readable(fromMemory(handle(a.openAPI())))},
		{[]string{"/livez"}, readable(fromMemory(handle(a.alive)))},
		{[]string{"/readyz"}, readable(a.admitted(readiness, a.service.AdmitReadiness, a.ready))},
	}
}

// methods answers each method that a resource knows, and every other with 405.
type methods map[string]budgeted

// readable is for what changes nothing.
func readable(h budgeted) methods { return methods{"GET": h, "HEAD": h} }

// ServeHTTP implements http.Handler.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler, ok := m[r.Method]; ok {
		handler.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Allow", m.allowed())
	writeProblem(w, r, problemMethodNotAllowed)
}

func (m methods) allowed() string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

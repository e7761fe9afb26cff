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

	registrationOptions := enrolment(a.registrationOptions)
	stepUpOptions := login(a.stepUpOptions)
	registrationVerify := a.ceremony(stepkey.PurposeRegistration, enrolment(a.registrationVerify))
	stepUpVerify := a.ceremony(stepkey.PurposeStepUp, login(a.stepUpVerify))
	passkeyLogInVerify := a.ceremony(stepkey.PurposeLogIn, a.anonymous(a.passkeyLogInVerify))
	account := methods{"DELETE": login(a.deleteAccount)}
	if a.pages != nil {
		account["GET"], account["HEAD"] = budgeted{a.pages, fixed}, budgeted{a.pages, fixed}
	}
	return []route{
		{[]string{"/auth/signup"}, methods{"POST": a.anonymous(a.signUp)}},
		{[]string{"/auth/login", "/auth/signin"}, methods{"POST": a.anonymous(a.logIn)}},

		{[]string{"/auth/refresh"}, methods{"POST": a.anonymous(a.refresh)}},
		{[]string{"/auth/logout"}, methods{"POST": a.anonymous(a.logOut)}},
		{[]string{"/auth/logout/all"}, methods{"POST": login(a.logOutEverywhere)}},
		{[]string{"/auth/sessions"}, methods{
			"GET":    login(a.sessions),
			"HEAD":   login(a.sessions),
			"DELETE": login(a.endOtherSessions),
		}},
		{[]string{"/auth/sessions/{id}"}, methods{"DELETE": login(a.endSession)}},
		{[]string{"/auth/revoke"}, methods{"POST": a.anonymous(a.revoke)}},
		{[]string{"/auth/introspect"}, methods{"POST": budgeted{a.answer(a.introspect), perGuess}}},

		{[]string{pathAccount}, account},
		{[]string{"/account/export"}, readable(login(a.export))},
		{[]string{"/account/events"}, readable(login(a.events))},
		{[]string{"/account/password"}, methods{"POST": login(a.changePassword)}},

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
		{[]string{"/passkeys"}, readable(login(a.passkeys))},
		{[]string{"/passkeys/{id}"}, methods{
			"PATCH":  login(a.renamePasskey),
			"DELETE": login(a.deletePasskey),
		}},

		{[]string{"/account/email"}, methods{
			"GET":    login(a.email),
			"HEAD":   login(a.email),
			"POST":   login(a.requestEmail),
			"DELETE": login(a.removeEmail),
		}},
		{[]string{"/account/email/verify"}, methods{"POST": a.anonymous(a.confirmEmail)}},
		{[]string{"/recovery/password"}, methods{"POST": a.anonymous(a.requestReset)}},
		{[]string{"/recovery/password/finish"}, methods{"POST": a.anonymous(a.resetPassword)}},
		{[]string{"/account/recovery"}, readable(login(a.recovery))},
		{[]string{"/account/recovery/codes"}, methods{"POST": login(a.replaceRecoveryCodes)}},
		{[]string{"/recovery/code"}, methods{"POST": login(a.useRecoveryCode)}},
		{[]string{"/recovery/passkey"}, methods{
			"POST":   login(a.recoverByMail),
			"DELETE": login(a.cancelRecovery),
		}},
		{[]string{"/recovery/passkey/finish"}, methods{"POST": login(a.finishRecovery)}},
		{[]string{"/recovery/link"}, methods{"POST": a.anonymous(a.recoverByLink)}},
		{[]string{"/recovery/freeze"}, methods{"POST": a.anonymous(a.freeze)}},

		{[]string{"/users/profile"}, readable(login(a.profile))},
		{[]string{"/users/histories"}, readable(full(a.histories))},

		{[]string{"/.well-known/jwks.json"}, readable(a.fromMemory(a.publicKeys()))},
		{[]string{"/.well-known/ended-sessions"}, readable(a.fromMemory(a.endedSessions))},
		{[]string{"/.well-known/ended-sessions/{minute}"}, readable(a.fromMemory(a.endedSessionsOf))},
		{[]string{"/.well-known/webauthn"}, readable(a.fromMemory(a.relatedOrigins))},
		{[]string{"/.well-known/passkey-endpoints"}, readable(a.fromMemory(a.passkeyEndpoints))},
		{[]string{"/.well-known/change-password"}, readable(a.fromMemory(a.changePasswordPage))},
		{[]string{"/openapi.json"}, readable(a.fromMemory(a.openAPI()))},
		{[]string{"/livez"}, readable(a.fromMemory(a.alive))},
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

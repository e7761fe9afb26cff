package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/pages"
)

// route is one resource: its paths, of which the first is canonical and the
// others are the original's spellings, and its methods.
type route struct {
	paths   []string
	methods methods
}

const signUpPath = "/auth/signup"

// routes lists everything that the API serves.
func (a *api) routes() []route {
	routes := a.coreRoutes()
	if a.pages != nil {
		routes = append(routes, a.routesToPages()...)
	}
	if !a.without.signUp {
		routes = append(routes, route{[]string{signUpPath}, methods{"POST": a.anonymous(a.signUp)}})
	}
	if a.behindGate != nil {
		login := a.signedIn(a.guard.RequireLogin)
		routes = append(routes, route{[]string{browserCodePath}, methods{"POST": login(a.issueBrowserCode)}})
	}
	if !a.without.confirmation {
		routes = append(routes, route{[]string{confirmationPath}, methods{"POST": a.anonymous(a.resendConfirmation)}})
	}
	if !a.without.email {
		routes = append(routes, a.emailRoutes()...)
	}
	if !a.without.demo {
		routes = append(routes, a.demoRoutes()...)
	}
	return routes
}

// routesToPages lead password managers to the account page.
func (a *api) routesToPages() []route {
	return []route{
		{[]string{"/.well-known/passkey-endpoints"}, readable(a.fromMemory(a.passkeyEndpoints))},
		{[]string{"/.well-known/change-password"}, readable(a.fromMemory(a.changePasswordPage()))},
	}
}

// emailRoutes need a mailer, apart from beginning a recovery by e-mail, which shares its path with the routes of the core.
func (a *api) emailRoutes() []route {
	login := a.signedIn(a.guard.RequireLogin)
	return []route{
		{[]string{"/account/email"}, methods{
			"GET":    login(a.email),
			"HEAD":   login(a.email),
			"POST":   login(a.requestEmail),
			"DELETE": login(a.removeEmail),
		}},
		{[]string{"/account/email/verify"}, methods{"POST": a.anonymous(a.confirmEmail)}},
		{[]string{"/recovery/password"}, methods{"POST": a.anonymous(a.requestReset)}},
		{[]string{"/recovery/password/finish"}, methods{"POST": a.anonymous(a.resetPassword)}},
		{[]string{"/recovery/passkey/finish"}, methods{"POST": login(a.finishRecovery)}},
		{[]string{"/recovery/freeze"}, methods{"POST": a.anonymous(a.freeze)}},
	}
}

// demoRoutes are the original's examples of routes protected at each level.
func (a *api) demoRoutes() []route {
	login := a.tokenAlone(a.guard.RequireLogin)
	full := a.tokenAlone(a.guard.RequireFull)
	return []route{
		{[]string{"/users/profile"}, readable(login(a.profile))},
		{[]string{"/users/histories"}, readable(full(a.histories))},
	}
}

// coreRoutes lists the routes that cannot be left out.
func (a *api) coreRoutes() []route {
	login := a.signedIn(a.guard.RequireLogin)
	enrolment := a.signedIn(a.guard.RequireEnrolment)

	registrationOptions := enrolment(a.registrationOptions)
	stepUpOptions := login(a.stepUpOptions)
	registrationVerify := a.ceremony(stepkey.PurposeRegistration, enrolment(a.registrationVerify))
	stepUpVerify := a.ceremony(stepkey.PurposeStepUp, login(a.stepUpVerify))
	passkeyLogInVerify := a.ceremony(stepkey.PurposeLogIn, a.anonymous(a.passkeyLogInVerify))
	account := methods{"DELETE": login(a.deleteAccount)}
	if a.pages != nil {
		account["GET"], account["HEAD"] = budgeted{a.pages, fixed}, budgeted{a.pages, fixed}
	}
	recovery := methods{"DELETE": login(a.cancelRecovery)}
	if !a.without.email {
		recovery["POST"] = login(a.recoverByMail)
	}
	return []route{
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

		{[]string{pages.Account}, account},
		{[]string{"/account/export"}, readable(login(a.export))},
		{[]string{"/account/events"}, readable(login(a.events))},
		{[]string{"/account/events/{id}/not-me"}, methods{"POST": login(a.disown)}},
		{[]string{"/account/password"}, methods{"POST": login(a.changePassword)}},

		// The original's GET, which makes a challenge, is kept for its clients. HEAD
		// is left out, so that a prefetch does not use up a challenge.
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

		{[]string{"/account/recovery"}, readable(login(a.recovery))},
		{[]string{"/account/recovery/codes"}, methods{"POST": login(a.replaceRecoveryCodes)}},
		{[]string{"/recovery/code"}, methods{"POST": login(a.useRecoveryCode)}},
		{[]string{"/recovery/passkey"}, recovery},
		{[]string{"/recovery/link"}, methods{"POST": a.anonymous(a.recoverByLink)}},

		{[]string{"/.well-known/jwks.json"}, readable(a.fromMemory(a.publicKeys()))},
		{[]string{"/.well-known/ended-sessions"}, readable(a.fromMemory(a.endedSessions))},
		{[]string{"/.well-known/ended-sessions/{minute}"}, readable(a.fromMemory(a.endedSessionsOf))},
		{[]string{"/.well-known/webauthn"}, readable(a.fromMemory(a.relatedOrigins))},
		{[]string{"/openapi.json"}, readable(a.fromMemory(a.openAPI))},
		{[]string{"/livez"}, readable(a.fromMemory(a.alive))},
		{[]string{"/readyz"}, readable(a.admitted(readiness, a.service.AdmitReadiness, a.ready))},
	}
}

// served returns the operations that are described, by method and path as in "GET /account". GET also
// describes HEAD.
func (a *api) served(routes []route) map[string]bool {
	served := map[string]bool{}
	for _, route := range routes {
		for _, path := range route.paths {
			for method := range route.methods {
				served[method+" "+path] = method != http.MethodHead
			}
		}
	}
	for _, path := range a.pagePaths() {
		served["GET "+path] = true
	}
	return served
}

// methods maps each method of a resource to its handler. Other methods answer
// 405.
type methods map[string]budgeted

// readable returns the methods of a resource that can only be read.
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

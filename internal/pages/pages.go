// Package pages names the paths of the web pages: webui serves them, httpapi mounts them,
// and links in mails lead to them. All are relative to the path below which the pages are
// mounted.
package pages

// The pages that people open directly.
const (
	Home    = "/" // leads to one of the others
	Demo    = "/demo"
	Docs    = "/docs"
	Account = "/account" // where people manage their account
	SignIn  = "/sign-in"
	SignUp  = "/sign-up"
	Verify  = "/verify" // where apps send people for full level

	// Continue is where applications behind the gate send people.
	Continue = "/continue"
)

// The pages that links lead to. The token of a link follows the #.
const (
	ConfirmEmail  = "/confirm-email"
	ResetPassword = "/reset-password"
	NotMe         = "/not-me"
	Recover       = "/recover"
	RecoverByLink = "/recover-by-link"
	Invitation    = "/invitation"
)

// LanguageCookie keeps the language that somebody has chosen on the pages, as a BCP 47 tag. The API
// reads it as well, so that mails are in the same language.
const LanguageCookie = "stepkey-language"

// Package pages names the paths of the web pages: webui serves them, httpapi mounts them,
// and links in mails lead to them. All are relative to the path below which the pages are
// mounted.
package pages

// The pages that people open directly.
const (
	Demo    = "/"
	Docs    = "/docs"
	Account = "/account" // where people manage their account
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

// Package webauthn holds the JSON messages that a page and a server exchange in a WebAuthn
// ceremony: the options that navigator.credentials takes and the responses that it yields, as
// Web Authentication Level 3 §5.1 describes them. Section numbers in this package refer to that
// document.
//
// The package only encodes and decodes. Nothing in a response has been checked; package stepkey
// verifies it.
package webauthn

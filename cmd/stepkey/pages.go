package main

import (
	"net/http"

	"github.com/stepkey/stepkey/webui"
)

// pages are the pages as they are configured; return_to may lead to returnOrigins.
func (s settings) pages(returnOrigins []string) (http.Handler, error) {
	brand, err := s.brand()
	if err != nil {
		return nil, err
	}
	languages, err := s.languages()
	if err != nil {
		return nil, err
	}
	return webui.New(webui.Options{
		Name: s.RPName, SignUp: s.SignUp, MinPasswordLength: s.MinPassword, Brand: brand, Languages: languages, Language: s.Language,
		ReturnOrigins: returnOrigins, NoDemo: !s.hasDemo(), SignUpEmail: s.RequireAddress == "on", SignInByAddress: s.SignInByAddr == "on",
		NoPasskeyLogIn: s.PasskeyLogin == "off",
	})
}

// hasDemo reports whether there is a demo: unless told otherwise, only where people try Stepkey out, and can sign up
// without an address, for which the demo does not ask.
func (s settings) hasDemo() bool {
	return s.Demo == "on" || s.Demo == "" && s.RequireAddress != "on" && allLocalhost(s.origins())
}

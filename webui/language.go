package webui

import (
	"net/http"
	"strings"

	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/internal/pages"
)

// aYear is how long a choice is remembered, in seconds.
const aYear = 365 * 24 * 60 * 60

// asked is what the address asks for, in the form of Accept-Language: ui_locales separates tags by spaces.
func asked(r *http.Request) string {
	return strings.Join(strings.Fields(r.URL.Query().Get("ui_locales")), ",")
}

// language is that of a visitor.
func (s *site) language(r *http.Request) *messages.Catalog {
	chosen := ""
	if cookie, err := r.Cookie(pages.LanguageCookie); err == nil {
		chosen = cookie.Value
	}
	return s.languages.Match(asked(r), chosen, strings.Join(r.Header.Values("Accept-Language"), ","))
}

// remember keeps the language that the address asks for. The cookie has no path, so that browsers send it to all pages
// beside this one, below whichever prefix these are mounted. It holds one of the languages of the service and nothing
// that the client sent.
func (s *site) remember(w http.ResponseWriter, r *http.Request) {
	if c, ok := s.languages.Find(asked(r)); ok && s.hasChoice() {
		http.SetCookie(w, &http.Cookie{Name: pages.LanguageCookie, Value: c.Lang(), MaxAge: aYear, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
}

func (s *site) hasChoice() bool { return len(s.pages) > 1 }

// vary tells caches what the language depends on.
func (s *site) vary(h http.Header) {
	if s.hasChoice() {
		h.Add("Vary", "Accept-Language, Cookie")
	}
}

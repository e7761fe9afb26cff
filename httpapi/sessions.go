package httpapi

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/token"
)

type refreshBody struct {
	RefreshToken string `json:"refreshToken"`

	// IfPresent asks for 204 instead of 401 if there is no token, neither here nor in a cookie.
	IfPresent bool `json:"ifPresent"`
}

// refresh reads the token from the body or from the cookie. A refusal does not
// remove the cookie: of two tabs that refresh at once one may be refused, and the
// browser then already has the other's new cookie.
func (a *api) refresh(w http.ResponseWriter, r *http.Request) error {
	body, err := decode[refreshBody](w, r, maxCredentialsBody)
	if err != nil {
		return err
	}
	presented := body.RefreshToken
	if cookie := a.cookies.refreshOf(r); cookie != "" {
		if presented != "" {
			return problemTwoRefreshTokens
		}
		if !a.ownPage(r) {
			return problemCrossSite
		}
		presented = cookie
	}
	// A page cannot see the cookie, and browsers show a 401 in the console as an error. Only a request
	// without a token is answered so: the answer says nothing about any session.
	if presented == "" && body.IfPresent {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	granted, err := a.service.Refresh(r.Context(), presented)
	if err != nil {
		return err
	}
	a.writeGrant(w, http.StatusOK, granted)
	return nil
}

// logOut ends the session of the access token or, if that has expired, of the
// cookie.
func (a *api) logOut(w http.ResponseWriter, r *http.Request) error {
	cookie := a.cookies.refreshOf(r)
	if r.Header.Get("Authorization") == "" && cookie != "" {
		return a.logOutByCookie(w, r, cookie)
	}
	// A token at level recovery suffices to end its own session.
	a.guard.RequireEnrolment(a.answer(a.withCaller(a.logOutByToken))).ServeHTTP(w, r)
	return nil
}

func (a *api) logOutByToken(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := a.service.LogOut(r.Context(), c.Caller); err != nil {
		return err
	}
	a.cookies.clearRefresh(w)
	return succeed(w, nil)
}

func (a *api) logOutByCookie(w http.ResponseWriter, r *http.Request, cookie string) error {
	if !a.ownPage(r) {
		return problemCrossSite
	}
	if err := a.service.Revoke(r.Context(), cookie, stepkey.Client{IP: a.clientIP(r)}); err != nil {
		return err
	}
	a.cookies.clearRefresh(w)
	return succeed(w, nil)
}

type endedAnswer struct {
	Success bool `json:"success"`
	Ended   int  `json:"ended"`
}

func (a *api) logOutEverywhere(w http.ResponseWriter, r *http.Request, c caller) error {
	n, err := a.service.LogOutEverywhere(r.Context(), c.Caller)
	if err != nil {
		return err
	}
	a.cookies.clearRefresh(w)
	writeJSON(w, http.StatusOK, endedAnswer{true, n})
	return nil
}

func (a *api) endOtherSessions(w http.ResponseWriter, r *http.Request, c caller) error {
	n, err := a.service.LogOutOthers(r.Context(), c.Caller)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, endedAnswer{true, n})
	return nil
}

func (a *api) endSession(w http.ResponseWriter, r *http.Request, c caller) error {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return problemNotFound
	}
	if err := a.service.EndSession(r.Context(), c.Caller, id); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, endedAnswer{true, 1})
	return nil
}

type sessionAnswer struct {
	ID         string       `json:"id"`
	Current    bool         `json:"current"`
	Device     string       `json:"device"`
	Address    string       `json:"address"`
	Place      *placeAnswer `json:"place,omitzero"`
	Level      token.Level  `json:"authLevel"`
	CreatedAt  time.Time    `json:"createdAt"`
	LastSeenAt time.Time    `json:"lastSeenAt"`
	ExpiresAt  time.Time    `json:"expiresAt"`
}

type sessionsAnswer struct {
	Sessions []sessionAnswer `json:"sessions"`
	Next     string          `json:"next,omitzero"`
}

// sessions answers with a page of the user's live sessions. Without the parameter limit
// the page has all of them, because their number is bounded.
func (a *api) sessions(w http.ResponseWriter, r *http.Request, c caller) error {
	before, limit, err := pageQuery(r.URL.RawQuery, stepkey.MaxListedSessions)
	if err != nil {
		return err
	}
	sessions, next, err := a.service.Sessions(r.Context(), c.Caller, (*stepkey.SessionPlace)(before), limit)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, sessionsAnswer{
		Sessions: a.sessionAnswers(sessions, c.Claims().SessionID), Next: cursorOf((*stepkey.EventPlace)(next)),
	})
	return nil
}

func (a *api) sessionAnswers(sessions []stepkey.Session, current string) []sessionAnswer {
	answers := []sessionAnswer{}
	for _, s := range sessions {
		answers = append(answers, sessionAnswer{
			ID: s.ID.String(), Current: s.ID.String() == current,
			Device: s.Client.Device, Address: s.Client.Network, Place: a.placeOf(s.Client.Network), Level: s.Level(),
			CreatedAt: s.CreatedAt, LastSeenAt: s.LastSeenAt, ExpiresAt: s.ExpiresAt,
		})
	}
	return answers
}

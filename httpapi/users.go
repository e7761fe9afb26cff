package httpapi

import (
	"net/http"
)

// profile answers with the token's claims, as the original does.
func (a *api) profile(w http.ResponseWriter, r *http.Request, c caller) error {
	writeJSON(w, http.StatusOK, c.Claims())
	return nil
}

// histories is an example of a route that needs level full.
func (a *api) histories(w http.ResponseWriter, _ *http.Request, _ caller) error {
	return succeed(w, nil)
}

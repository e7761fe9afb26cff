package httpapi

import (
	"net/http"
)

// profile answers with the token's claims, as the original does.
func (a *api) profile(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := c.Claims().MarshalJSON()
	if err != nil {
		return err
	}
	w.Header()["Content-Type"] = jsonContent
	// A failed write means that the client is gone.
	_, _ = w.Write(body)
	return nil
}

// histories is an example of a route that needs level full.
func (a *api) histories(w http.ResponseWriter, _ *http.Request, _ caller) error {
	return succeed(w, nil)
}

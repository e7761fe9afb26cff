package httpapi

import (
	"net/http"
)

// openAPI serves the description of the API.
func (a *api) openAPI(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, no-cache")
	allowEveryPage(w.Header())
	a.description.at(prefixOf(r.Context())).ServeHTTP(w, r)
	return nil
}

type status struct {
	Status string `json:"status"`
}

// alive says that the process answers. It checks no dependency.
func (a *api) alive(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, status{"ok"})
	return nil
}

// ready says whether this instance can handle requests.
func (a *api) ready(w http.ResponseWriter, r *http.Request) error {
	if isClosed(a.stopping) {
		return problemUnavailable
	}
	if err := a.service.Ready(r.Context()); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, status{"ok"})
	return nil
}

package httpapi

import (
	"bytes"
	_ "embed"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stepkey/stepkey/internal/content"
)

//go:embed openapi.json
var openAPIDocument []byte

// openAPI serves the description of the API without the white space of its source, and
// compressed: /docs loads it. It panics when the embedded document is no JSON, which the
// tests rule out.
func (a *api) openAPI() handler {
	compact := jsontext.Value(bytes.Clone(openAPIDocument))
	if err := compact.Compact(); err != nil {
		panic(err)
	}
	document, err := content.New("application/json", compact)
	if err != nil {
		panic(err)
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "public, no-cache")
		allowEveryPage(w.Header())
		document.ServeHTTP(w, r)
		return nil
	}
}

type status struct {
	Status string `json:"status"`
}

// alive says that the process answers, whatever it stands on.
func (a *api) alive(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, status{"ok"})
	return nil
}

// ready says that requests should come to this instance.
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

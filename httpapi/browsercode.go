package httpapi

import (
	"encoding/base64"
	"net/http"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/storage"
)

const browserCodePath = "/auth/browser-code"

// browserCodeBody asks for a code. The fields are pointers so that a missing one is told from an empty one.
type browserCodeBody struct {
	Origin *string `json:"origin"`
	Nonce  *string `json:"nonce"` // the SHA-256 digest of the browser's secret at that origin
}

type browserCode struct {
	Code string `json:"code"`
}

// issueBrowserCode answers with a code for an application behind the gate, and for no other origin.
func (a *api) issueBrowserCode(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := decode[browserCodeBody](w, r, maxCredentialsBody)
	if err != nil {
		return err
	}
	if body.Origin == nil || body.Nonce == nil {
		return stepkey.ErrInvalidRequest
	}
	var nonce storage.BrowserDigest
	digest, err := base64.RawURLEncoding.Strict().DecodeString(*body.Nonce)
	if err != nil || copy(nonce[:], digest) != len(digest) || len(digest) != len(nonce) {
		return stepkey.ErrInvalidRequest
	}
	if !a.behindGate(*body.Origin) {
		return problemUnknownApplication
	}
	code, err := a.service.IssueBrowserCode(r.Context(), c.Caller, *body.Origin, nonce)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, browserCode{code})
	return nil
}

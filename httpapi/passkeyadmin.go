package httpapi

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

// listedPasskey is a passkey as shown to its owner. Members that are not known,
// because the passkey was registered elsewhere and has not been used here, are null.
type listedPasskey struct {
	ID             string     `json:"id"`
	Name           string     `json:"name"`
	Provider       string     `json:"provider,omitzero"`
	BackupEligible *bool      `json:"backupEligible"`
	Synced         *bool      `json:"synced"`
	Transports     []string   `json:"transports"`
	CredentialID   string     `json:"credentialId"`
	CreatedAt      time.Time  `json:"createdAt"`
	LastUsedAt     *time.Time `json:"lastUsedAt"`
	UsableFrom     *time.Time `json:"usableFrom,omitzero"`
	UsedHere       bool       `json:"usedHere,omitzero"`
}

// signalNames are the values that a page passes to the Signal API, which takes the user
// handle in base64url too. They are missing below level full.
type signalNames struct {
	RPID       string `json:"rpId,omitzero"`
	UserHandle string `json:"userHandle,omitzero"`
	Username   string `json:"username,omitzero"`
}

type passkeysAnswer struct {
	Passkeys []listedPasskey `json:"passkeys"`
	signalNames
}

type passkeyRemovedAnswer struct {
	Success bool `json:"success"`
	passkeysAnswer
}

type passkeyRenamedAnswer struct {
	Success bool          `json:"success"`
	Passkey listedPasskey `json:"passkey"`
	signalNames
}

func (a *api) passkeys(w http.ResponseWriter, r *http.Request, c caller) error {
	list, err := a.service.Passkeys(r.Context(), c.Caller)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, listed(list))
	return nil
}

type renameBody struct {
	Name *string `json:"name"`
}

func (a *api) renamePasskey(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := decode[renameBody](w, r, maxCredentialsBody)
	if err != nil {
		return err
	}
	if body.Name == nil {
		return stepkey.ErrInvalidRequest
	}
	passkey, names, err := a.service.RenamePasskey(r.Context(), c.Caller, pathID(r), *body.Name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, passkeyRenamedAnswer{true, listedOne(passkey), signalNamesOf(names)})
	return nil
}

// deletePasskey reads the confirmation for deleting the last passkey from the query,
// because proxies may drop the body of a DELETE (RFC 9110 §9.3.5).
func (a *api) deletePasskey(w http.ResponseWriter, r *http.Request, c caller) error {
	lastToo := r.URL.Query().Get("last") == "true"
	left, err := a.service.DeletePasskey(r.Context(), c.Caller, pathID(r), lastToo)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, passkeyRemovedAnswer{true, listed(left)})
	return nil
}

// pathID parses the id in the path. A malformed id becomes uuid.Nil, which no
// row has.
func pathID(r *http.Request) uuid.UUID {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return uuid.Nil
	}
	return id
}

func listed(list stepkey.PasskeyList) passkeysAnswer {
	answer := passkeysAnswer{Passkeys: []listedPasskey{}, signalNames: signalNamesOf(list.Names)}
	for _, p := range list.Passkeys {
		one := listedOne(p)
		one.UsedHere = p.ID == list.UsedHere
		answer.Passkeys = append(answer.Passkeys, one)
	}
	return answer
}

func listedOne(p stepkey.Passkey) listedPasskey {
	answer := listedPasskey{
		ID: p.ID.String(), Name: p.Name, Provider: stepkey.Provider(p),
		Transports:   append([]string{}, p.Credential.Transports...),
		CredentialID: base64.RawURLEncoding.EncodeToString(p.Credential.ID),
		CreatedAt:    p.CreatedAt, LastUsedAt: p.LastUsedAt, UsableFrom: p.UsableFrom,
	}
	if eligible, backedUp, known := p.Credential.Backup(); known {
		answer.BackupEligible, answer.Synced = &eligible, &backedUp
	}
	return answer
}

func signalNamesOf(n stepkey.SignalNames) signalNames {
	return signalNames{n.RPID, base64.RawURLEncoding.EncodeToString(n.UserHandle), n.Username}
}

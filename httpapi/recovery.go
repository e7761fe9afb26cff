package httpapi

import (
	"net/http"
	"time"

	"github.com/stepkey/stepkey"
)

// recoveryAnswer is the state of recovery. Absent fields are null.
type recoveryAnswer struct {
	CodesLeft      int            `json:"codesLeft"`
	CodesCreatedAt *time.Time     `json:"codesCreatedAt"`
	Pending        *pendingAnswer `json:"pending"`
}

type pendingAnswer struct {
	StartedAt time.Time `json:"startedAt"`
	ReadyAt   time.Time `json:"readyAt"`
}

func (a *api) recovery(w http.ResponseWriter, r *http.Request, c caller) error {
	state, err := a.service.Recovery(r.Context(), c.Caller)
	if err != nil {
		return err
	}
	answer := recoveryAnswer{CodesLeft: state.CodesLeft, CodesCreatedAt: state.CodesCreatedAt}
	if state.Pending != nil {
		answer.Pending = &pendingAnswer{StartedAt: state.Pending.StartedAt, ReadyAt: state.Pending.ReadyAt}
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

type recoveryCodesAnswer struct {
	Codes []string `json:"codes"`
}

func (a *api) replaceRecoveryCodes(w http.ResponseWriter, r *http.Request, c caller) error {
	codes, err := a.service.ReplaceRecoveryCodes(r.Context(), c.Caller)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, recoveryCodesAnswer{codes})
	return nil
}

type recoveryCodeBody struct {
	Code *string `json:"code"`
}

// waitAnswer is the answer for a pending recovery.
type waitAnswer struct {
	pendingAnswer
	LinkSent bool `json:"linkSent"`
}

func waitAnswerOf(p stepkey.PendingRecovery, linkSent bool) waitAnswer {
	return waitAnswer{pendingAnswer{StartedAt: p.StartedAt, ReadyAt: p.ReadyAt}, linkSent}
}

func (a *api) useRecoveryCode(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := decode[recoveryCodeBody](w, r, maxCredentialsBody)
	if err != nil {
		return err
	}
	if body.Code == nil {
		return stepkey.ErrInvalidRequest
	}
	granted, pending, err := a.service.UseRecoveryCode(r.Context(), c.Caller, *body.Code, c.client)
	if err == nil && pending != nil {
		writeJSON(w, http.StatusAccepted, waitAnswerOf(*pending, false))
		return nil
	}
	return a.recovered(w, granted, err)
}

func (a *api) recoverByMail(w http.ResponseWriter, r *http.Request, c caller) error {
	pending, linkSent, err := a.service.RecoverByMail(r.Context(), c.Caller, c.client)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, waitAnswerOf(pending, linkSent))
	return nil
}

func (a *api) cancelRecovery(w http.ResponseWriter, r *http.Request, c caller) error {
	return succeed(w, a.service.CancelRecovery(r.Context(), c.Caller))
}

func (a *api) finishRecovery(w http.ResponseWriter, r *http.Request, c caller) error {
	link, err := decodeLink(w, r)
	if err != nil {
		return err
	}
	granted, err := a.service.FinishRecovery(r.Context(), c.Caller, link, c.client)
	return a.recovered(w, granted, err)
}

func (a *api) recoverByLink(w http.ResponseWriter, r *http.Request) error {
	link, err := decodeLink(w, r)
	if err != nil {
		return err
	}
	granted, err := a.service.RecoverByLink(r.Context(), link, a.clientOf(r))
	return a.recovered(w, granted, err)
}

func (a *api) freeze(w http.ResponseWriter, r *http.Request) error {
	link, err := decodeLink(w, r)
	if err != nil {
		return err
	}
	return succeed(w, a.service.Freeze(r.Context(), link, a.clientOf(r)))
}

// recovered answers with the token of a session at level recovery. It removes the
// refresh cookie of the previous session, which no longer works.
func (a *api) recovered(w http.ResponseWriter, granted stepkey.Grant, err error) error {
	if err != nil {
		return err
	}
	a.cookies.clearRefresh(w)
	a.writeGrant(w, http.StatusCreated, granted)
	return nil
}
